"""A set of each layout goes through `import`, `check`, `run` and `evaluate`, as a user types them.

Two of them do so in the gate, all of them by `just layouts`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml

from bearing_search.cli import main

from . import labelling_tools as tools
from . import public_sets as public

ROOT = Path(__file__).parents[3]
Write = Callable[[Path], None]

SETS: dict[str, tuple[Write, bool]] = {  # its writer, and whether train has real defects
    "mvtec_ad": (partial(public.mvtec_ad, num=6), False),
    "mpdd": (partial(public.mpdd, num=6), False),
    "mvtec_ad_2": (partial(public.mvtec_ad_2, num=4), False),
    "mvtec_ad_2_lights": (partial(public.mvtec_ad_2_lights, num=6), False),
    "mvtec_loco": (partial(public.mvtec_loco, num=4), False),
    "visa": (partial(public.visa, num=6), False),
    "btad": (partial(public.btad, num=6), False),
    "kolektorsdd2": (partial(public.kolektorsdd2, num=6), True),
    "dagm": (partial(public.dagm, num=6), True),
    "real_iad": (partial(public.real_iad, num=4), False),
    "ok_ng": (partial(public.ok_ng, num=1), True),
    "labelme": (partial(tools.labelme, num=3), True),
    "cvat_masks": (partial(tools.cvat_masks, num=2), True),
    "cvat_xml": (partial(tools.cvat_xml, num=3), True),
    "coco": (partial(tools.coco, num=4), True),
    "sagemaker": (partial(tools.sagemaker, num=6), True),
}
METRICS = ("pixel_aupro", "image_auroc")
GATE = ("mvtec_loco", "coco")


def marks(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow, *([] if name in GATE else [pytest.mark.long])]


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in SETS])
@pytest.mark.filterwarnings("default")  # as in a user's process
def test_from_a_layout_to_a_score_on_test(tmp_path, monkeypatch, capsys, tiny_raw, name):
    def said(*arguments: str) -> str:
        assert main([*arguments]) == 0, capsys.readouterr()
        return capsys.readouterr().out

    monkeypatch.chdir(tmp_path)
    write, has_defects = SETS[name]
    raw = tmp_path / "RAW"
    raw.mkdir()
    write(raw)
    base = tiny_raw | {"detector": "padim"}
    base["finetune"] |= {"epochs": 2}
    content = {"base": base, "vary": {"padim.dims": {"int": [8, 20]}}}
    Path("space.yaml").write_text("# Which width?\n" + yaml.safe_dump(content))

    said("import", "RAW", "--out", "DATA")
    verdict = said("check", "DATA").splitlines()[-1]
    searched = run("--data", "DATA", "--trials", "2", "--concurrent", "1", "--name", "s")
    assert ("synthetic" in searched) is not has_defects
    board = json.loads(said("status", "s", "--json"))["leaderboard"]
    assert len(board["settings"]) == 2
    assert bool(board["winner"]["drawn_defects"]) is not has_defects

    said("evaluate", "s", "--device", "cpu")
    lines = json.loads(Path("results/s/evaluate/evaluation.json").read_text())["lines"]
    test = {line["name"]: line["tuned"]["value"] for line in lines}
    scores = [board["winner"][f"val/{metric}"]["value"] for metric in METRICS]
    scores += [test[metric] for metric in METRICS]
    assert all(0 < score <= 1 for score in scores)
    print(f"| {name} | {verdict} |", " | ".join(f"{score:.3f}" for score in scores), "|")


def run(*arguments: str) -> str:
    """What a search says, in a process of its own, as Ray's threads outlive it."""
    ended = subprocess.run(
        [sys.executable, "-m", "bearing_search", "run", "space.yaml", *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
