"""Anomalous samples without a mask count in metrics of whole images only."""

from dataclasses import replace

import numpy as np
import pytest

from bearing_search.config import ProtocolConfig
from bearing_search.evaluation.prediction_files import load_predictions, save_predictions
from bearing_search.evaluation.thresholds import best_pixel_threshold

PROTOCOL = ProtocolConfig(map_px=16)


@pytest.fixture
def mixed(predictions):
    """24 samples, of which 12 are anomalous and 2 of these have no mask."""
    has_mask = np.ones(24, dtype=bool)
    has_mask[[0, 4]] = False
    return replace(predictions(1.5), has_mask=has_mask)


@pytest.fixture
def bare(predictions):
    every = predictions(1.5)
    return replace(every, masks=np.zeros_like(every.masks), has_mask=~every.is_anomalous)


def test_pixels_of_the_others_are_scored_and_images_of_all(mixed):
    found = mixed.metrics(PROTOCOL)
    pixels = mixed.only(mixed.has_mask).metrics(PROTOCOL)
    images = replace(mixed, has_mask=None).metrics(PROTOCOL)
    for name, value in found.items():
        assert value == (pixels if name.startswith("pixel") else images)[name]


def test_resamples_and_floors_leave_the_same_pixels_out(mixed):
    every, marked = np.arange(24), mixed.only(mixed.has_mask)
    found = mixed.metrics(PROTOCOL)
    again = mixed.prepared(PROTOCOL).at(every)
    assert again == pytest.approx({name: found[name] for name in again})
    floor, without = mixed.floor(PROTOCOL), marked.floor(PROTOCOL)
    assert floor["pixel_ap"] == without["pixel_ap"]
    assert (floor["image_ap"], without["image_ap"]) == pytest.approx((12 / 24, 10 / 22))


def test_without_any_mask_only_metrics_of_pixels_are_undefined(bare, mixed):
    assert bare.lacks_pixel_labels
    assert not mixed.lacks_pixel_labels
    found = bare.metrics(PROTOCOL)
    undefined = {name for name, value in found.items() if np.isnan(value)}
    assert undefined == {name for name in found if name.startswith("pixel")}
    assert found["image_auroc"] == replace(bare, has_mask=None).metrics(PROTOCOL)["image_auroc"]
    assert np.isnan(best_pixel_threshold(bare))


def test_which_samples_have_a_mask_is_stored_and_older_files_have_all(mixed, tmp_path):
    file = tmp_path / "scored.npz"
    save_predictions(mixed, file)
    assert load_predictions(file).has_mask.tolist() == mixed.has_mask.tolist()
    assert load_predictions(file).only(~mixed.has_mask).is_unmasked.all()
    with np.load(file) as saved:
        before = {name: saved[name] for name in saved.files if name != "has_mask"}
    np.savez(file, **before)
    assert not load_predictions(file).is_unmasked.any()
