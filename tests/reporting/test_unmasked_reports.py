"""Reports of data without masks name AUROC of whole images, and no metric of pixels."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from bearing_search.analysis.comparison import score_intervals
from bearing_search.analysis.postprocess_search import tune_postprocess
from bearing_search.analysis.subsets import by_kind, by_size
from bearing_search.config import PostprocessConfig, ProtocolConfig, TrialConfig, to_plain
from bearing_search.evaluation.metric_table import METRICS
from bearing_search.evaluation.prediction_files import save_predictions
from bearing_search.reporting.evaluation_markdown import evaluation_markdown
from bearing_search.reporting.leaderboard import leaderboard, said_of
from bearing_search.reporting.leaderboard_json import as_json
from bearing_search.reporting.leaderboard_markdown import markdown
from bearing_search.reporting.test_evaluation import ComparedPredictions, evaluation_of
from bearing_search.search_space.objectives import ObjectiveSpec
from bearing_search.trial_history.records import TrialRecord, trial_folder

PROTOCOL = ProtocolConfig(map_px=16)
IMAGE = [name for name, metric in METRICS.items() if metric.level == "image"]


@pytest.fixture
def bare(predictions):
    def make(signal, **more):
        every = predictions(signal, **more)
        kinds = tuple("dent" if one else "good" for one in every.is_anomalous)
        none = np.zeros_like(every.masks)
        return replace(every, masks=none, has_mask=~every.is_anomalous, defects=kinds)

    return make


def test_only_metrics_of_images_have_intervals(bare, predictions):
    assert list(score_intervals({"LC/all": bare(2.0)}, PROTOCOL)) == [
        *(f"LC/{name}" for name in IMAGE),
        *IMAGE,
    ]
    both = score_intervals({"LC/all": bare(2.0), "OD/all": predictions(2.0)}, PROTOCOL)
    assert "LC/pixel_ap" not in both
    assert both["pixel_ap"].value == both["OD/pixel_ap"].value


def test_maps_are_chosen_by_what_there_is(bare, predictions):
    folds = {f"LC/fold{k}": bare(2.0, seed=k) for k in range(2)}
    assert tune_postprocess(folds, PROTOCOL).maps.metric == "image_auroc"
    folds = {f"LC/fold{k}": predictions(2.0, seed=k) for k in range(2)}
    assert tune_postprocess(folds, PROTOCOL).maps.metric == "pixel_aupro"


def test_kinds_have_no_pixel_ap_and_sizes_are_left_out(bare):
    (row,) = by_kind({"LC/all": bare(2.0)}, (), PROTOCOL, {"LC": set()})
    assert (row.subset, row.samples, row.pixel_ap, row.is_in_training) == ("dent", 12, None, False)
    assert by_size({"LC/all": bare(2.0)}, (), PROTOCOL) == ()


def test_sizes_of_samples_without_a_mask_among_others_are_unknown(predictions):
    has_mask = np.ones(24, dtype=bool)
    has_mask[[0, 4]] = False
    rows = by_size({"LC/all": replace(predictions(2.0), has_mask=has_mask)}, (), PROTOCOL)
    assert [(row.subset, row.samples) for row in rows] == [
        ("16 patches or more", 10),
        ("no mask, so unknown", 2),
    ]


@pytest.fixture
def board(bare, tmp_path):
    records = []
    for number, signal in enumerate((0.2, 3.0)):
        fold = trial_folder(tmp_path, number) / "LC/fold0"
        fold.mkdir(parents=True)
        config = replace(TrialConfig(), seed=number)
        (fold.parents[1] / "config.json").write_text(json.dumps(to_plain(config)))
        tags = {"unmasked/LC/fold0": "12 of 12 held out", "defects/LC": "real"}
        (fold / "unit.json").write_text(json.dumps({"tags": tags}))
        found = bare(signal)
        save_predictions(found, fold / "scored.npz")
        value = found.metrics(PROTOCOL)["image_auroc"]
        records.append(
            TrialRecord(number=number, state="complete", suggestion={"seed": number}, value=value)
        )
    spec = ObjectiveSpec().with_first("val/image_auroc")
    return leaderboard(tmp_path, records, objective_spec=spec)


def test_the_leaderboard_ranks_by_whole_images_and_says_so(board):
    assert board.selection.best.number == 1
    content = as_json(board)
    assert content["unmasked_parts"] == ["LC"]
    assert content["synthetic_parts"] == []
    assert content["floor"] == 0.5
    assert content["winner"]["val/image_auroc"]["value"] == board.selection.chosen.value.value
    assert "pixel" not in json.dumps(content)
    page = markdown("s", board, "")
    assert "| trial | val/image_auroc | | settings |" in page
    assert "pixel" not in page
    assert any(one.startswith("Defects of LC have no mask") for one in said_of(board))


def test_the_result_on_test_has_no_metric_of_pixels(bare):
    test = {"LC/all": bare(2.0)}
    compared = ComparedPredictions(
        tuned=None,
        frozen=test,
        validation={"LC/fold0": bare(2.0, seed=1)},
        protocol=PROTOCOL,
        postprocess=PostprocessConfig(),
    )
    found = evaluation_of(compared, sweep="s", trial=0, times_opened=1)
    assert [row.name for row in found.lines] == IMAGE
    assert (found.objective, found.unmasked) == ("image_auroc", {"LC": 12})
    assert "NaN" not in json.dumps(asdict(found)["lines"])
    page = evaluation_markdown(found)
    assert "LC: 12 of 12 anomalous samples have no mask" in page
    assert "pixel AP" not in page
    assert "pixel_" not in page
