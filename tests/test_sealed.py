"""A search leaves test alone: its files could as well be gone, and no report hides a look."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from bearing_search.cli import main
from bearing_search.measurement import OBJECTIVE, TrialContext
from bearing_search.trial import run_final, run_trial


def seal(data: Path) -> list[Path]:
    """Put rubbish in the place of every image and mask of the test split."""
    files = [*data.glob("*/test/*/*.png"), *data.glob("*/ground_truth/*/test_*.png")]
    for file in files:
        file.write_bytes(b"sealed")
    return files


class Opened:
    """Files that this process opened since `begin`; an audit hook cannot be taken out again."""

    def __init__(self) -> None:
        self.files: set[str] | None = None
        sys.addaudithook(self._note)

    def begin(self) -> None:
        self.files = set()

    def end(self) -> set[str]:
        files, self.files = self.files or set(), None
        return files

    def _note(self, event: str, arguments: tuple) -> None:
        if self.files is not None and event == "open":
            self.files.add(str(arguments[0]))


OPENED = Opened()


def test_a_trial_opens_training_files_only_and_evaluate_opens_the_others(
    tmp_path, make_set, tiny_config
):
    data = make_set()

    def opened_by(run, folder):
        OPENED.begin()
        list(
            run(
                tiny_config, TrialContext(data=data, folder=tmp_path / folder, cache=tmp_path / "c")
            )
        )
        return {Path(file).name for file in OPENED.end() if file.startswith(str(data))}

    searched = opened_by(run_trial, "search")
    assert any(name.startswith("train_s0") for name in searched)
    assert not [name for name in searched if name.startswith("test_")]
    final = opened_by(run_final, "final")
    assert [name for name in final if name.startswith("test_")]  # so the hook sees such files
    assert not list((tmp_path / "search").rglob("stress*"))


@pytest.mark.slow
def test_a_trial_has_the_same_score_when_the_test_set_is_rubbish(tmp_path, make_set, tiny_config):
    def objective(data, folder):
        context = TrialContext(data=data, folder=tmp_path / folder, cache=tmp_path / f"{folder}-c")
        return list(run_trial(tiny_config, context))[-1].values[OBJECTIVE]

    whole = objective(make_set(name="whole"), "a")
    sealed = make_set(name="sealed")
    assert len(seal(sealed)) == 6 * 3 + 3
    assert objective(sealed, "b") == whole


@pytest.mark.slow
def test_the_trials_and_reports_of_a_sweep_never_open_test(tmp_path, make_set, tiny_raw, capsys):
    data, results = make_set(), tmp_path / "results"
    space = tmp_path / "space.yaml"
    tiny_raw["decoder"] |= {"iterations": 60}
    vary = {"finetune.alternation_period": {"int": [1, 3]}}
    space.write_text(yaml.safe_dump({"base": tiny_raw, "vary": vary}))
    arguments = ["run", space, "--data", data, "--trials", 2, "--name", "s", "--results", results]
    sweep = subprocess.Popen(
        [sys.executable, "-m", "bearing_search", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # the leak guard looks for test images among the training images, once and before any trial
    while not (results / "s/sweep.json").exists():
        assert sweep.poll() is None, sweep.communicate()
        time.sleep(0.05)
    assert not list(results.glob("s/trials/*/*/*/scored.npz"))
    seal(data)
    out, err = sweep.communicate(timeout=400)
    assert sweep.returncode == 0, out + err
    assert "Test has not been opened." in (results / "s/report.md").read_text()

    assert main(["compare", "s", "--results", str(results)]) == 0
    assert "Test has not been opened." in capsys.readouterr().out
    evaluate = ["evaluate", "s", "--device", "cpu", "--results", str(results)]
    assert main(evaluate) == 3  # it does open them, and finds rubbish
    assert re.search(r"test_\S+\.png", capsys.readouterr().err)
