"""A reproduction on real Ray, MLflow and torch, killed and resumed by name."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from bearing_search.data.dataset import load_data_set
from bearing_search.session.inputs import digest_for
from bearing_search.sweep.folder.sweep_folder import create_sweep
from bearing_search.sweep.record.sweep_record import SweepRecord

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def resume(results):
    return subprocess.Popen(
        [sys.executable, "-m", "bearing_search", "resume", "repro", "--results", str(results)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_reproduction_is_resumed_by_its_name_and_ranks_nothing(tmp_path, make_set, tiny_raw):
    data, results = make_set(), tmp_path / "results"
    frozen = {"finetune.epochs": 0, "finetune.reconstruction_only_epochs": 0}
    vary = {
        "encoder_state": {"bundle": {"frozen": frozen, "tuned": {"finetune.epochs": 2}}},
        "seed": {"choice": [0, 1]},
    }
    record = SweepRecord(
        name="repro",
        task="reproduction",
        sampler="grid",
        space_text=yaml.safe_dump({"base": tiny_raw, "vary": vary}, sort_keys=False),
        data=str(data),
        data_digest=digest_for("reproduction", load_data_set(data)),
    )
    folder = create_sweep(results, record)

    first = resume(results)
    deadline = time.monotonic() + 240
    while not list(folder.root.glob("trials/*/plate/all/unit.json")):
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    first.kill()
    first.communicate()
    second = resume(results)
    out, err = second.communicate(timeout=300)

    assert second.returncode == 0, out + err
    assert "4 of 4 runs were scored on test." in out
    assert (folder.root / "table2.html").exists()
    assert "best" not in out.lower()
    units = sorted(folder.root.glob("trials/*/plate/all/unit.json"))
    assert [unit.parts[-4] for unit in units] == [f"{n:05d}" for n in range(4)]
    last = [
        json.loads((folder.trial_folder(n) / "measurements.jsonl").read_text().splitlines()[-1])
        for n in range(4)
    ]
    assert all(0 <= measured["values"]["test/pixel_aupro"] <= 1 for measured in last)
