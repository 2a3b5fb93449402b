import json
from dataclasses import replace

import numpy as np
import pytest

from bearing_search.analysis.postprocess_search import nested_selection, tune_postprocess
from bearing_search.analysis.postprocess_settings import (
    PostprocessSetting,
    map_settings,
    rendered,
)
from bearing_search.config import PostprocessConfig, ProtocolConfig, TrialConfig
from bearing_search.evaluation.anomaly_maps import anomaly_maps
from bearing_search.reporting.sentences import postprocess_lines
from bearing_search.session.postprocessing import postprocess_json, with_postprocess

PROTOCOL = ProtocolConfig(map_px=16)


@pytest.fixture
def layered(predictions):
    """A fold whose first layer sees the defects, and whose second is noise of another scale."""

    def make(seed, *, noise, levels=1):
        fold = predictions(3.0, seed=seed, names=f"u{seed}-")
        rng = np.random.default_rng((seed, 1))
        layers = [fold.distances, noise * rng.normal(size=fold.distances.shape)]
        distances = np.repeat(np.concatenate(layers, axis=2), levels, axis=1)
        fusion = "channels" if levels == 1 else "score_mean"
        rendering = replace(fold.rendering, fusion=fusion)
        made = anomaly_maps(distances, None, rendering)
        return replace(
            fold,
            distances=distances,
            rendering=rendering,
            maps=made.maps,
            image_scores=made.image_scores,
            groups=tuple(f"{seed}-{g}" for g in fold.groups),
        )

    return make


def test_a_fold_never_chooses_for_itself():
    keys = ["LC/fold0", "LC/fold1", "LC/fold2"]
    table = np.array([[0.5, 0.5, 0.5], [0.9, 0.1, 0.1], [0.4, 0.6, 0.6]])
    overall, without = nested_selection(table, keys)
    assert overall == 2
    assert without == {"LC/fold0": 2, "LC/fold1": 0, "LC/fold2": 0}  # ties keep the first


def test_parts_weigh_the_same_whatever_their_number_of_folds():
    keys = ["LC/fold0", "LC/fold1", "OD/fold0", "OD/fold1", "OD/fold2"]
    table = np.array([[0.6, 0.6, 0.5, 0.5, 0.5], [0.5, 0.5, 0.55, 0.55, 0.55]])
    overall, without = nested_selection(table, keys)
    assert overall == 0  # .55 against .525; over all five folds alike it would be .53 and .54
    assert without["OD/fold2"] == 0


def test_the_nested_gain_of_noise_is_nothing_while_the_best_of_all_looks_good():
    rng = np.random.default_rng(0)
    keys = [f"LC/fold{k}" for k in range(5)]
    nested, naive = [], []
    for _ in range(150):
        table = rng.normal(size=(20, 5))
        overall, without = nested_selection(table, keys)
        nested.append(np.mean([table[without[k], i] - table[0, i] for i, k in enumerate(keys)]))
        naive.append((table[overall] - table[0]).mean())
    error = np.std(nested) / np.sqrt(len(nested))
    assert abs(np.mean(nested)) < 3 * error
    assert np.mean(naive) > 10 * error


def test_a_layer_of_noise_is_found_and_its_gain_shown(layered):
    folds = {f"LC/fold{k}": layered(k, noise=6.0) for k in range(3)}
    told = []
    tuning = tune_postprocess(folds, PROTOCOL, on_progress=lambda *counts: told.append(counts))
    assert tuning.maps.is_shown
    assert tuning.maps.gain.low > 0
    assert tuning.applied.postprocess.layer_weights[0] > tuning.applied.postprocess.layer_weights[1]
    assert told[-1][0] == told[-1][1] == len(told)
    page = "\n".join(postprocess_lines(tuning))
    assert "layer_weights" in page
    assert "| yes |" in page


def test_what_gains_nothing_is_not_used_and_the_page_says_so(predictions):
    folds = {f"LC/fold{k}": predictions(0.0, seed=k) for k in range(3)}
    tuning = tune_postprocess(folds, PROTOCOL)
    before = folds["LC/fold0"].rendering.postprocess
    assert not tuning.maps.is_shown
    assert tuning.maps.applied.postprocess == before
    assert "as trained: no significant gain" in postprocess_lines(tuning)[-2]


def test_brightness_is_fused_otherwise_only_where_each_image_has_a_map(layered):
    assert {k.fusion for k in map_settings(layered(0, noise=1.0))} == {"channels"}
    assert {k.fusion for k in map_settings(layered(0, noise=1.0, levels=3))} == {
        "score_mean",
        "score_max",
    }


def test_no_knob_is_tried_twice_and_the_present_one_comes_first(layered):
    fold = layered(0, noise=1.0)
    settings = map_settings(fold)
    assert len(set(settings)) == len(settings)
    assert rendered(fold, settings[0]) is fold


def test_a_knob_renders_what_training_with_it_would_have_stored(layered):
    fold = layered(0, noise=1.0, levels=2)
    setting = PostprocessSetting(
        postprocess=PostprocessConfig(smoothing_sigma_px=2.0, image_score="max"),
        fusion="score_max",
    )
    rendering = replace(fold.rendering, postprocess=setting.postprocess, fusion=setting.fusion)
    expected = anomaly_maps(fold.distances, None, rendering)
    found = rendered(fold, setting)
    assert (found.maps == expected.maps).all()
    assert (found.image_scores == expected.image_scores).all()


def test_margins_are_tried_where_regions_of_interest_are_known(predictions):
    fold = predictions(1.0)
    roi = np.ones((24, 16, 16), dtype=bool)
    known = replace(fold, roi=roi)

    def margins(*folds):
        tried = [s.postprocess.margin_px for s in map_settings(*folds)]
        return {one for one in tried if one is not None}

    assert margins(fold) == set()
    assert margins(known) == {0.0, 4.0}  # 8 px of 16 leave nothing
    narrow = roi.copy()
    narrow[:, 4:] = False
    assert margins(known, replace(known, roi=narrow)) == {0.0}
    assert margins(known, fold) == set()


def test_a_bright_rim_is_found_by_the_margin(predictions):
    folds = {}
    for seed in range(3):
        fold = predictions(3.0, seed=seed, names=f"u{seed}-")
        distances = fold.distances.copy()
        distances[..., :2, :] = 50.0
        roi = np.ones_like(fold.masks)
        roi[:, :2] = False
        folds[f"LC/fold{seed}"] = replace(
            fold, distances=distances, roi=roi, groups=tuple(f"{seed}-{g}" for g in fold.groups)
        ).with_postprocess(fold.rendering.postprocess)
    tuning = tune_postprocess(folds, PROTOCOL)
    assert tuning.maps.is_shown
    assert tuning.applied.postprocess.margin_px is not None


def test_what_is_written_is_what_evaluate_uses(layered):
    tuning = tune_postprocess({f"LC/fold{k}": layered(k, noise=6.0) for k in range(3)}, PROTOCOL)
    config = with_postprocess(TrialConfig(), tuning)
    found = json.loads(postprocess_json("trial 3", tuning))
    assert found["of"] == "trial 3"
    assert found["applied"]["postprocess"]["layer_weights"] == list(
        config.postprocess.layer_weights
    )
    assert config.fusion == found["applied"]["fusion"]
    assert found["maps"]["is_shown"] is True
