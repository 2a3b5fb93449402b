"""`reproduce` as a user runs it, on real Ray, MLflow and torch, killed in between."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = """
import json, sys
import bearing_search.reproduction.design as design
from bearing_search.cli import main
if __name__ == "__main__":
    raw = json.loads(sys.argv[1])
    encoder = {f"encoder.{name}": value for name, value in raw.pop("encoder").items()}
    tuned = raw.pop("finetune")
    design.CPU_ENCODER = encoder
    design._BASES["cpu"] = raw
    design._TUNED["cpu"] = tuned
    sys.exit(main(["reproduce", "--profile", "cpu", "--name", "again", *sys.argv[2:]]))
"""


def command(tmp_path: Path, raw: dict, *arguments: object) -> subprocess.Popen:
    script = tmp_path / "tiny.py"
    script.write_text(TINY)
    return subprocess.Popen(
        [sys.executable, str(script), json.dumps(raw), *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
def test_a_killed_reproduction_goes_on_with_the_same_command(tmp_path, make_set, tiny_raw):
    data, results = make_set(), tmp_path / "results"
    tiny_raw["decoder"] |= {"iterations": 60}
    arguments = ("--data", data, "--seeds", 1, "--results", results, "--json")
    sweep = results / "again"

    process = command(tmp_path, tiny_raw, *arguments)
    deadline = time.monotonic() + 240
    while not list(sweep.glob("trials/*/plate/all/unit.json")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = {file: file.stat().st_mtime for file in sweep.glob("trials/*/plate/all/unit.json")}

    process = command(tmp_path, tiny_raw, *arguments)
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, out + err
    assert "again exists; resuming it" in err
    assert "4 of 4 runs were scored on test" in err
    assert {file: file.stat().st_mtime for file in done} == done

    found = json.loads(out)
    assert (found["runs"], found["planned"]) == (4, 4)
    rows = list(csv.DictReader((sweep / "table2.csv").read_text().splitlines()))
    assert {row["detector"] for row in rows} == {"vitad", "dinomaly"}
    values = [
        row for row in rows if row["encoder"] == "EN_train" and row["metric"] == "pixel_aupro"
    ]
    assert all(0 <= float(row["value"]) <= 1 for row in values)
    assert (sweep / "table2.html").exists()
    assert len(list(sweep.glob("fig8_*_plate.png"))) == 2

    process = command(tmp_path, tiny_raw, *arguments, "--detectors", "vitad")
    out, err = process.communicate(timeout=100)
    assert process.returncode == 6
    assert "another name" in err
