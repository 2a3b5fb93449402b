"""A detector, a metric, a data reader and a sampler from outside the package, in one real sweep.

`run` and `resume` are called from a script that imports the four; real Ray, real training.
"""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from bearing_search.config import ProtocolConfig
from bearing_search.data.dataset import content_digest, load_data_set
from bearing_search.evaluation.mean_metrics import mean_metrics
from bearing_search.evaluation.prediction_files import fold_predictions
from bearing_search.sweep.folder.sweep_folder import load_sweep
from bearing_search.sweep.status import sweep_status
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, last_values

HERE = Path(__file__).parent
METRIC = "val/image_clear_share"
BLOCKS = [6, 1, 2]
"""The base's, then the lowest of all that has not been tried."""

MAIN = """
import sys
import toy_detector, toy_metric, toy_reader, toy_sampler
from bearing_search.cli import main

if __name__ == "__main__":
    status = main(sys.argv[1:])
    assert "torch" not in sys.modules  # the driver stays small
    sys.exit(status)
"""


def command(script: Path, *arguments: object) -> str:
    path = f"{HERE.parents[1]}{os.pathsep}{HERE}"
    process = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.mark.slow
def test_a_sweep_of_plug_ins_is_drawn_trained_scored_resumed_and_reported(
    tmp_path, make_set, make_index, tiny_raw, toy
):
    results, script, space = tmp_path / "results", tmp_path / "toys.py", tmp_path / "space.yaml"
    script.write_text(MAIN)
    base = tiny_raw | {"detector": "toy", "toy": {"block": 6}}
    base["finetune"] = {"epochs": 0, "reconstruction_only_epochs": 0}
    vary = {"toy.block": {"int": [1, 6]}}
    objectives = [{"val/pixel_aupro": "max"}, {METRIC: "max"}]
    space.write_text(yaml.safe_dump({"base": base, "vary": vary, "objectives": objectives}))
    folders = make_set(levels=1)
    options = ("--sampler", "lowest", "--trials", 2, "--name", "toys", "--results", results)

    command(script, "run", space, "--data", make_index(folders), *options)
    command(script, "resume", "toys", "--trials", 3, "--results", results)

    sweep = load_sweep(results, "toys")
    assert_read(sweep, folders)
    trials = sweep_status(sweep).trials
    assert_drawn(trials)
    for trial in trials:
        assert_detected(results / "toys/trials" / f"{trial.number:05}", trial)
    assert_measured(results)


def assert_read(sweep, folders):
    """Data reader: driver and workers found the samples that the folders hold."""
    train = load_data_set(folders).samples("train")
    assert sweep.record.data_digest == content_digest(train)
    scored = fold_predictions(sweep.root / "trials/00000")
    held_out = sorted(name for one in scored.values() for name in one.names)
    assert held_out == sorted(sample.title for sample in train)


def assert_drawn(trials):
    """Sampler: it drew, before and after the driver was started again."""
    assert [trial.state for trial in trials] == ["complete"] * 3
    assert [trial.suggestion["toy.block"] for trial in trials] == BLOCKS


def assert_detected(folder, trial):
    """Detector: its setting is searched, its distances are kept and give the score."""
    config = json.loads((folder / "config.json").read_text())
    assert (config["detector"], config["toy"]) == ("toy", {"block": BLOCKS[trial.number]})
    scored = fold_predictions(folder)
    assert {one.rendering.detector for one in scored.values()} == {"toy"}
    metrics = mean_metrics(
        (key.partition("/")[0], one.metrics(ProtocolConfig(map_px=64)))
        for key, one in scored.items()
    )
    assert metrics["pixel_aupro"] == pytest.approx(trial.value)


def assert_measured(results):
    """Metric: workers measured it; ledger, MLflow and the report have it."""
    found = [
        last_values(results / f"toys/trials/{number:05d}" / MEASUREMENTS_FILE)[METRIC]
        for number in range(3)
    ]
    assert all(0 <= value <= 1 for value in found)
    page = (results / "toys/report.md").read_text()
    assert f"Pareto set of val/pixel_aupro (max) and {METRIC} (max): " in page
    header, _, *rows = page[page.index("| trial |") :].splitlines()
    assert header.endswith(f"| {METRIC} |")
    assert {row.split(" | ")[-1].rstrip(" |") for row in rows[:3]} == {
        f"{value:.4g}" for value in found
    }
    with closing(sqlite3.connect(results / "mlflow.db")) as database:
        logged = database.execute(
            "select value from latest_metrics where key = ?", (METRIC,)
        ).fetchall()
    assert sorted(value for (value,) in logged) == pytest.approx(sorted(found))
