import json

import pytest

from bearing_search.tracking.display import (
    dataset_input,
    displayed,
    run_name,
    short_labels,
    view_of_runs,
)
from bearing_search.trial_history.records import TrialRecord

PERIOD = "finetune.alternation_period"
LAYERS = "finetune.ssim_layers"
RADIUS = "preprocess.circle.radius_tolerance_px"
OBJECTIVE = "val/pixel_aupro"


def test_a_runs_name_says_what_it_varies():
    suggestion = {PERIOD: 3, LAYERS: [8, 12], RADIUS: 23.456789, "detector": "vitad"}
    trial = TrialRecord(number=12, state="running", suggestion=suggestion)
    name = run_name(trial, short_labels(suggestion))
    assert name == "012 period=3 layers=8-12 tolerance=23.46 detector=vitad"


def test_a_setting_run_again_says_its_seed():
    trial = TrialRecord(number=1, state="running", suggestion={PERIOD: 3}, seed=7, purpose="audit")
    assert run_name(trial, {PERIOD: "period"}) == "001 period=3 seed=7 (audit)"


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        ([PERIOD, LAYERS, RADIUS], ["period", "layers", "tolerance"]),
        (["decoder.lr", "finetune.encoder_lr"], ["decoder_lr", "encoder_lr"]),
        (["decoder.iterations"], ["iterations"]),
        (["a.b_c", "x.b_c"], ["a_b_c", "x_b_c"]),
        (["seed"], ["seed"]),
        (["c", "b_c"], ["c", "b_c"]),
    ],
)
def test_labels_are_as_short_as_they_can_be(paths, labels):
    assert short_labels(paths) == dict(zip(paths, labels, strict=True))


def test_scores_come_first_and_what_is_of_one_fold_last():
    values = {
        OBJECTIVE: 0.9,
        "val/LC/pixel_aupro": 0.8,
        "val/LC/fold0/pixel_aupro": 0.7,
        "val/running_pixel_aupro": 0.6,
        "val/fold_pixel_aupro": 0.5,
        "train/LC/fold0/decoder_loss": 1.0,
        "cost/seconds": 3.0,
    }
    shown = displayed(values, OBJECTIVE)
    assert sorted(shown) == [
        "cost/seconds",
        "objective",
        "val/LC/pixel_aupro",
        OBJECTIVE,
        "val/running_pixel_aupro",
        "z_details/train/LC/fold0/decoder_loss",
        "z_details/val/LC/fold0/pixel_aupro",
        "z_details/val/fold_pixel_aupro",
    ]
    assert shown["objective"] == 0.9
    assert "objective" not in displayed({"train/loss": 1.0}, OBJECTIVE)


def test_the_view_has_a_column_for_all_that_is_varied_and_a_width_for_each():
    view = json.loads(view_of_runs("val/image_auroc", [PERIOD, LAYERS]))
    assert view["selectedColumns"] == [
        "metrics.`val/image_auroc`",
        f"params.`{PERIOD}`",
        f"params.`{LAYERS}`",
        "tags.`bearing_search.state`",
        "tags.`bearing_search.to_use`",
        "metrics.`cost/seconds`",
    ]
    assert view["columnOrder"][2:] == view["selectedColumns"]
    assert set(view["columnWidths"]) == set(view["columnOrder"])
    assert len(view_of_runs(OBJECTIVE, [f"section.setting_{n}" for n in range(200)])) < 5000


def test_the_data_set_is_named_after_its_folder():
    found = dataset_input({"data": "/data/rings", "data_digest": "d" * 64}).dataset
    assert (found.name, found.digest) == ("rings", "d" * 36)
    assert json.loads(found.source) == {"uri": "/data/rings"}
    assert dataset_input({"data": "/data/rings"}) is None
