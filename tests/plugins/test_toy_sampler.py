"""A sampler is one entry of the table, wherever it is written: a sweep with one from out here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bearing_search.sweep.folder.sweep_folder import load_sweep
from bearing_search.sweep.status import sweep_status

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DRIVE = ROOT / "tests" / "sweep" / "drive.py"


def drive(results, trials, *options):
    environment = os.environ | {"FAKE_STEP_S": "0", "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"}
    command = [sys.executable, str(DRIVE), str(results), "toy", str(trials), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_a_sweep_is_drawn_and_resumed_by_a_sampler_from_outside_the_package(tmp_path):
    begun = drive(tmp_path, 3, "--sampler", "lowest", "--import", "toy_sampler")
    assert begun.returncode == 0, begun.stderr
    resumed = drive(tmp_path, 5, "--import", "toy_sampler")
    assert resumed.returncode == 0, resumed.stderr

    status = sweep_status(load_sweep(tmp_path, "toy"))  # a reader needs no sampler
    assert [trial.state for trial in status.trials] == ["complete"] * 5
    drawn = [trial.suggestion for trial in status.trials[1:]]
    assert [one["finetune.alternation_period"] for one in drawn] == [1, 2, 3, 4]
    assert {one["finetune.encoder_lr"] for one in drawn} == {1e-6}
    assert [one["finetune.ssim_layers"] for one in drawn] == [[12]] * 4
