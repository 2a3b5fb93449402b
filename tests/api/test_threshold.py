"""`threshold`: from a finished sweep to thresholds that keep a promise; test stays sealed."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml

import bearing_search
from bearing_search.analysis.operating.rate_bounds import largest_rate
from bearing_search.cli import main
from bearing_search.data.dataset import load_data_set
from bearing_search.errors import ConfigError, PromiseError, SweepError
from bearing_search.evaluation.prediction_files import save_predictions
from bearing_search.plots.picture_table import CAPTION_PX, CELL_PX
from bearing_search.training.folds.fold_plan import validation_plans
from bearing_search.trial_history.records import trial_config


@pytest.fixture
def sweep(make_sweep):
    folder = make_sweep("first", [1.0])
    return folder, ["threshold", "first", "--results", str(folder.root.parent)]


def test_a_threshold_is_written_with_its_evidence_and_pictures(sweep, capsys):
    folder, command = sweep
    assert main([*command, "--max-miss", "30%", "--p-values"]) == 0
    said = capsys.readouterr().out
    assert "at most 30 % missed, at 95 % confidence" in said
    assert "The promise allows 0 of 12 to be wrong." in said
    assert "Conformal p-values against 12 held-out normal groups" in said
    assert "the pictures show anomaly maps alone" in said  # there is no data set
    found = json.loads((folder.root / "threshold.json").read_text())
    assert (found["schema"], found["sweep"], found["trial"]) == (1, "first", 0)
    part = found["parts"]["LC"]
    assert part["unit"] == "standardised"
    assert part["contract"]["max_miss"] == 0.3
    assert part["evidence"]["chosen"]["miss"]["bound"] == largest_rate(12)
    groups = part["evidence"]["groups"]
    missed = [g for g in groups if g["kind"] != "good" and g["score"] < part["ng_from"]]
    assert (len(groups), missed) == (24, [])
    model = part["models"]["LC/fold0"]
    assert model["ng_from"] == pytest.approx(model["mean"] + model["deviation"] * part["ng_from"])
    written = {file.name for file in (folder.root / "threshold").iterdir()}
    assert written == {"threshold_LC.md", "threshold_LC.png", "wrong_LC.png"}
    assert cv2.imread(str(folder.root / "threshold/threshold_LC.png")) is not None


def test_a_promise_that_the_data_cannot_carry_writes_nothing(sweep, capsys):
    folder, command = sweep
    assert main([*command, "--max-miss", "1%"]) == PromiseError.exit_status == 9
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "LC: 12 held-out defective groups can prove 22.1 % at best" in said
    assert "takes 287 more" in said
    assert not (folder.root / "threshold.json").exists()
    assert not (folder.root / "threshold").exists()


def test_json_is_what_is_stored_and_out_takes_the_pictures(sweep, capsys, tmp_path):
    folder, command = sweep
    asked = ["--max-overkill", ".3", "--reinspect", "10%", "--confidence", "90%"]
    assert main([*command, *asked, "--out", str(tmp_path / "o"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads((folder.root / "threshold.json").read_text())
    part = shown["parts"]["LC"]
    assert part["contract"]["reinspect"] == 0.1
    assert part["contract"]["confidence"] == 0.9
    assert part["reinspect_from"] <= part["ng_from"]
    assert (tmp_path / "o/threshold_LC.md").exists()
    assert not (folder.root / "threshold").exists()


@pytest.mark.slow
def test_costs_say_which_share_of_defects_they_assume(sweep, capsys):
    _, command = sweep
    assert main([*command, "--cost", "miss=100,overkill=1,defects=2%"]) == 0
    assert "2 % of the groups defective (as you said)" in capsys.readouterr().out
    assert main([*command, "--cost", "miss=100,overkill=1"]) == 0
    assert "50 % of the groups defective (as in train)" in capsys.readouterr().out


@pytest.mark.slow
def test_a_second_part_keeps_the_first_unless_it_is_of_another_trial(make_sweep, predictions):
    folder = make_sweep("first", [3.0, 3.0])
    for trial in (0, 1):
        (folder.trial_folder(trial) / "SC/fold0").mkdir(parents=True)
        scored = predictions(3.0, seed=9)
        save_predictions(scored, folder.trial_folder(trial) / "SC/fold0/scored.npz")
    sweep = bearing_search.open_sweep(folder.root)
    sweep.threshold(0, max_miss=0.3, part="LC")
    sweep.threshold(0, max_overkill=0.4, part="SC")
    stored = json.loads((folder.root / "threshold.json").read_text())
    assert stored["parts"].keys() == {"LC", "SC"}
    assert stored["parts"]["LC"]["contract"]["max_miss"] == 0.3
    assert stored["parts"]["SC"]["contract"]["max_overkill"] == 0.4
    sweep.threshold(1, max_miss=0.3, part="SC")
    stored = json.loads((folder.root / "threshold.json").read_text())
    assert (stored["trial"], [*stored["parts"]]) == (1, ["SC"])


def test_drawn_defects_promise_nothing_about_real_ones(sweep):
    folder, _ = sweep
    tags = {"defects/LC": "synthetic"}
    (folder.trial_folder(0) / "LC/fold0/unit.json").write_text(json.dumps({"tags": tags}))
    opened = bearing_search.open_sweep(folder.root)
    with pytest.raises(PromiseError, match="drawn, which proves nothing about real ones"):
        opened.threshold(max_miss=0.5)
    found = opened.threshold(max_overkill=0.4)
    assert found.parts["LC"].has_drawn_defects
    assert "what is missed of them says nothing" in found.page


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "exactly one of"),
        (["--max-miss", "1%", "--cost", "miss=1,overkill=1"], "exactly one of"),
        (["--max-miss", "few"], "wanted a share such as"),
        (["--max-miss", "1"], "wanted a share between 0 and 1"),
        (["--cost", "miss=1"], "wanted miss=COST,overkill=COST"),
        (["--cost", "miss=1,miss=2,overkill=1"], "each once"),
        (["--cost", "miss=1,overkill"], "each once"),
        (["--max-miss", "30%", "--views", "best"], "wanted each, any, mean"),
        (["--max-miss", "30%", "--views", "2-of-3"], "24 of 24 groups have another number"),
        (["--max-miss", "30%", "--part", "XX"], "it has LC"),
        (["--max-miss", "30%", "--reinspect", "100%"], "--reinspect 1"),
    ],
)
def test_a_contract_that_cannot_be_read_is_one_line(sweep, capsys, wrong, said):
    _, command = sweep
    assert main([*command, *wrong]) == ConfigError.exit_status
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_an_unfinished_trial_is_refused(sweep):
    folder, _ = sweep
    with pytest.raises(SweepError, match="trial 7 is not complete"):
        bearing_search.open_sweep(folder.root).threshold(7, max_miss=0.5)


def test_inputs_stand_beside_the_maps_of_wrong_verdicts(
    make_set, make_sweep, predictions, tiny_raw, capsys
):
    root = make_set(levels=1, normals=8)
    for file in root.glob("plate/test/*/*.png"):
        file.write_bytes(b"sealed")
    space = yaml.safe_dump({"base": tiny_raw, "vary": {"seed": {"int": [0, 9]}}})
    folder = make_sweep("first", [1.0], space_text="# Which?\n" + space, data=str(root))
    trial = folder.trial_folder(0)
    shutil.rmtree(trial / "LC")
    plans = validation_plans(trial_config(folder.root, 0), load_data_set(root).samples("train"))
    for plan in (part for whole in plans for part in whole.parts):
        labels = np.array([sample.is_anomalous for sample in plan.held_out])
        drawn = predictions(1.0, num=2 * len(labels), seed=1)  # every second one is anomalous
        scored = drawn.only(np.column_stack([labels, ~labels]).ravel())
        (trial / plan.key).mkdir(parents=True)
        save_predictions(
            replace(
                scored,
                names=tuple(sample.title for sample in plan.held_out),
                groups=tuple(sample.group for sample in plan.held_out),
            ),
            trial / plan.key / "scored.npz",
        )
    found = bearing_search.open_sweep(folder.root).threshold(max_miss=0.6)
    assert found.parts["plate"].wrong
    assert "anomaly maps alone" not in capsys.readouterr().out
    width = cv2.imread(str(found.folder / "wrong_plate.png")).shape[1]
    assert width > CAPTION_PX + 2 * CELL_PX  # the input, and the map
