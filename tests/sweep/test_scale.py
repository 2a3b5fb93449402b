"""Hundreds of instant trials: what the engine costs per trial, and that it stays what it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.alone]

ROOT = Path(__file__).parents[2]


def test_two_hundred_instant_trials_cost_the_same_each_and_little_memory(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "scale.py", tmp_path, "--trials", "200"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    said = [json.loads(line[line.index("{") :]) for line in done.stdout.splitlines() if "{" in line]
    first, second, status = said
    assert (first["trials"], second["trials"], status["finished"]) == (100, 100, 200)
    blocks = sorted(first["per trial, block by block"]), sorted(second["per trial, block by block"])
    middle_before, middle_after = (block[len(block) // 2] for block in blocks)
    assert middle_after < 3 * middle_before  # in medians: other programs may hold up a block
    assert max(first["memory (MiB)"], second["memory (MiB)"]) < 1024
