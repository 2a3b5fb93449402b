"""A detector from outside the package is searched as the package's own are, on real Ray."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bearing_search.config import ProtocolConfig
from bearing_search.evaluation.predictions import fold_predictions, mean_metrics
from bearing_search.sweep.folder.sweep_folder import load_sweep
from bearing_search.sweep.status import sweep_status

HERE = Path(__file__).parent
MAIN = """
import sys
import toy_detector
from bearing_search.cli import main

if __name__ == "__main__":
    status = main(sys.argv[1:])
    assert "torch" not in sys.modules  # the driver stays small
    sys.exit(status)
"""


def command(script: Path, *arguments: object) -> str:
    process = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{HERE}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.mark.slow
def test_its_setting_is_searched_scored_and_reported(tmp_path, make_set, tiny_raw, toy):
    tiny_raw["finetune"] = {"epochs": 0, "reconstruction_only_epochs": 0}
    space, results = tmp_path / "space.yaml", tmp_path / "results"
    base = tiny_raw | {"detector": "toy"}
    space.write_text(yaml.safe_dump({"base": base, "vary": {"toy.block": {"choice": [2, 12]}}}))
    script = tmp_path / "with_toy.py"
    script.write_text(MAIN)
    options = ("--sampler", "grid", "--name", "toys", "--results", results)

    said = command(script, "run", space, "--data", make_set(), *options)

    assert "To use, of 2 complete settings: trial" in said
    status = sweep_status(load_sweep(results, "toys"))
    trials = {trial.suggestion["toy.block"]: trial for trial in status.trials}
    assert set(trials) == {2, 12}
    assert {trial.state for trial in trials.values()} == {"complete"}
    assert trials[2].value != trials[12].value
    for block, trial in trials.items():
        folder = results / "toys/trials" / f"{trial.number:05}"
        config = json.loads((folder / "config.json").read_text())
        assert (config["detector"], config["toy"]) == ("toy", {"block": block})
        scored = fold_predictions(folder)
        assert {one.rendering.detector for one in scored.values()} == {"toy"}
        metrics = mean_metrics(
            (key.partition("/")[0], one.metrics(ProtocolConfig(map_px=64)))
            for key, one in scored.items()
        )
        assert metrics["pixel_aupro"] == pytest.approx(trial.value)
    report = (results / "toys/report.md").read_text()
    assert "| block 2 |" in report
    assert "| block 12 |" in report
