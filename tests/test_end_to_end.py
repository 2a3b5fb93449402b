"""What a user runs, on real Ray, Optuna and MLflow, with a driver that is killed in between."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, suppress
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

ROOT = Path(__file__).parents[1]
TRIALS = 3


def command(*arguments: object, results: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "bearing_search", *map(str, arguments), "--results", str(results)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    return out


def traces(results: Path) -> dict[str, str]:
    """Which iterations ran when, by stage that learns; lacks one while it changes hands."""
    texts = {}
    for file in results.glob("cache/stages/*/*/*/trace.jsonl"):
        with suppress(FileNotFoundError):
            if file.parents[2].name == "trash":
                continue
            texts[file.parents[1].name] = file.read_text()
    return texts


def trained_iterations(results: Path) -> int:
    """Iterations that some checkpoint or finished stage vouches for."""
    return sum(len(text.splitlines()) for text in traces(results).values())


def last_traces(process: subprocess.Popen, results: Path) -> dict[str, str]:
    """The traces of all stages, also of those that the sweep drops at its end."""
    seen: dict[str, str] = {}
    while process.poll() is None:
        seen |= traces(results)
        time.sleep(0.05)
    return seen


def wait_for(condition, process: subprocess.Popen, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The ``noload`` loader")  # MLflow's own use of SQLAlchemy
def test_a_sweep_survives_two_kills_and_ends_in_an_evaluation(tmp_path, make_set, tiny_raw):
    tiny_raw["decoder"] |= {"iterations": 120}
    space, results = tmp_path / "space.yaml", tmp_path / "results"
    vary = {"finetune.alternation_period": {"int": [1, 3]}, "seed": {"int": [0, 99]}}
    space.write_text(yaml.safe_dump({"base": tiny_raw, "vary": vary}))

    process = command(
        "run", space, "--data", make_set(), "--trials", TRIALS, "--name", "e2e", results=results
    )
    for kill in range(2):
        done = trained_iterations(results)
        wait_for(lambda done=done: trained_iterations(results) > done + 1, process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        process = command("resume", "e2e", results=results)
        assert kill < 2
    texts = last_traces(process, results)
    said = finished(process)
    assert re.search(r"To use, of \d complete settings: trial \d", said)
    assert "-m bearing_search ui --results" in said

    status = json.loads(finished(command("status", "e2e", "--json", results=results)))
    assert [trial["state"] for trial in status["trials"]] == ["complete"] * TRIALS
    assert_no_iteration_ran_twice(texts)
    assert re.search(r"freed [\d.]+ [GM]B of intermediate stages", said)
    assert not list(results.glob("cache/stages/tuning/*"))
    assert not list(results.glob("cache/stages/detector/*"))
    assert len(list(results.glob("cache/stages/encoder/*"))) == 2  # folds of the one to use
    assert_mlflow_agrees(results, status["trials"])

    assert_the_ui_serves_them(results)

    page = finished(command("evaluate", "e2e", "--device", "cpu", results=results))
    table = page[page.index("# e2e") :]
    assert "Test opened once" in table
    assert "## Stress set" in table
    assert (results / "e2e/evaluate/stress.png").exists()
    assert finished(command("evaluate", "e2e", "--device", "cpu", results=results)) == table


def assert_no_iteration_ran_twice(texts: dict[str, str]) -> None:
    """A stage starts again only from what it last saved, and is finished once."""
    assert len(texts) == TRIALS * 2 * 3  # folds; a beginning, the encoder, the detector
    for text in texts.values():
        saved = 0
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            if line["event"] == "start":
                assert line["iteration"] == saved
            else:
                assert line["iteration"] >= saved
                saved = line["iteration"]
        assert [line["event"] for line in lines].count("finish") == 1
        assert lines[-1]["event"] == "finish"


def assert_mlflow_agrees(results: Path, trials: list[dict]) -> None:
    client = MlflowClient(f"sqlite:///{results / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("e2e").experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    scored = [run for run in runs if "finetune.alternation_period" in run.data.params]
    assert len(scored) == TRIALS
    assert len(runs) == TRIALS + 1  # and the parent
    assert sorted(run.data.metrics["val/pixel_aupro"] for run in scored) == pytest.approx(
        sorted(trial["value"] for trial in trials)
    )
    for run in scored:
        history = client.get_metric_history(
            run.info.run_id, "z_details/train/plate/fold0/decoder_loss"
        )
        steps = [point.step for point in history]
        assert steps == sorted(set(steps))
        assert len(steps) == 25
        names = {entry.path for entry in client.list_artifacts(run.info.run_id)}
        assert "config.json" in names


def assert_the_ui_serves_them(results: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = command("ui", "--port", port, results=results)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/health"), process)
        client = MlflowClient(f"http://127.0.0.1:{port}")
        runs = client.search_runs(
            [client.get_experiment_by_name("e2e").experiment_id],
            "tags.`bearing_search.trial` != ''",  # the filter of the page that `ui` points to
        )
        assert [run.info.status for run in runs] == ["FINISHED"] * TRIALS
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        out, _ = process.communicate()
    assert f"http://127.0.0.1:{port}/#/experiments/1/runs?viewStateShareKey=" in out


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


@pytest.mark.slow
def test_ctrl_c_stops_a_sweep_that_can_go_on(tmp_path, make_set, tiny_raw):
    tiny_raw["decoder"] |= {"iterations": 2000}
    space, results = tmp_path / "space.yaml", tmp_path / "results"
    space.write_text(yaml.safe_dump({"base": tiny_raw, "vary": {"seed": {"int": [0, 99]}}}))
    process = command(
        "run", space, "--data", make_set(), "--trials", 1, "--name", "stopped", results=results
    )
    wait_for(lambda: trained_iterations(results) > 1, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert f"-m bearing_search resume stopped --results {results}" in out

    status = json.loads(finished(command("status", "stopped", "--json", results=results)))
    assert [trial["state"] for trial in status["trials"]] == ["stopped"]


@pytest.mark.slow
def test_an_edited_space_is_refused_accepted_and_told(tmp_path, make_set, tiny_raw):
    space, results = tmp_path / "space.yaml", tmp_path / "results"
    vary = {"finetune.alternation_period": {"int": [1, 3]}}
    space.write_text(yaml.safe_dump({"base": tiny_raw, "vary": vary}))
    finished(
        command("run", space, "--data", make_set(), "--trials", 1, "--name", "s", results=results)
    )
    vary["finetune.alternation_period"]["int"] = [1, 9]
    space.write_text(yaml.safe_dump({"base": tiny_raw, "vary": vary}))

    refused = command("resume", "s", "--space", space, "--trials", 2, results=results)
    _, error = refused.communicate(timeout=300)
    assert refused.returncode == 6
    assert "+ vary.finetune.alternation_period: int [1, 9]" in error

    accepted = ("--accept-change", "space", "--trial-timeout", "1h", "--retry-failed")
    said = finished(
        command("resume", "s", "--space", space, "--trials", 2, *accepted, results=results)
    )
    assert "SPACE CHANGED on" in said
    assert "SPACE CHANGED on" in (results / "s/report.md").read_text()
    assert "SPACE CHANGED on" in finished(command("status", "s", results=results))
    with closing(sqlite3.connect(results / "mlflow.db")) as database:
        marks = database.execute(
            "select value from tags where key = 'bearing_search.to_use'"
        ).fetchall()
    assert [mark for (mark,) in marks].count("yes") == 1
