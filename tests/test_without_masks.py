"""OK and NG folders without a single mask, as a user takes them from `import` to `evaluate`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture
def raw(tmp_path):
    rng = np.random.default_rng(0)
    for kind, count in (("OK", 18), ("NG", 10)):
        (tmp_path / "RAW" / kind).mkdir(parents=True)
        for number in range(count):
            plate = rng.normal(90, 6, (80, 80))
            if kind == "NG":
                y, x = rng.integers(10, 60, 2)
                plate[y : y + 8, x : x + 8] += 80
            image = np.clip(plate, 0, 255).astype(np.uint8)
            cv2.imwrite(str(tmp_path / f"RAW/{kind}/{kind}{number:02}.png"), image)
    return tmp_path / "RAW"


def test_from_raw_folders_to_a_score_on_test(raw, tmp_path, tiny_raw):
    def said(*arguments: str, status: int = 0) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "bearing_search", *arguments],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == status, ended.stdout + ended.stderr
        return ended.stdout if status == 0 else ended.stderr

    content = {"base": tiny_raw, "vary": {"finetune.alternation_period": {"int": [1, 2]}}}
    (tmp_path / "space.yaml").write_text("# Without masks?\n" + yaml.safe_dump(content))
    assert "10 anomalous samples have no mask" in said("import", str(raw), "--out", "data")

    told = json.loads(said("check", "space.yaml", "--data", "data", "--json"))["data"]
    assert told["objective"] == "val/image_auroc"
    assert [part["counts"]["train_unmasked"] for part in told["parts"]] == [7]

    run = ("run", "space.yaml", "--data", "data", "--trials", "2", "--pruner", "median", "--name")
    objective = "objective val/image_auroc, mean over folds of train and all parts, since masks"
    assert objective in said(*run, "s")
    record = json.loads((tmp_path / "results/s/sweep.json").read_text())
    assert record["objective"] == "val/image_auroc"
    assert "pixel" not in said("status", "s") + said("compare", "s")

    page = said("evaluate", "s")
    assert "3 of 3 anomalous samples have no mask" in page
    assert "pixel_a" not in page
    found = json.loads((tmp_path / "results/s/evaluate/evaluation.json").read_text())
    assert (found["objective"], found["unmasked"]) == ("image_auroc", {"RAW": 3})

    named = content | {"objectives": [{"val/pixel_aupro": "max"}]}
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(named))
    assert "the space asks for val/pixel_aupro, but RAW: all 7" in said(*run, "t", status=2)
    assert not (tmp_path / "results/t").exists()
