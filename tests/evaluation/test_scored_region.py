from dataclasses import replace

import numpy as np
import pytest

from bearing_search.config import PostprocessConfig, ProtocolConfig
from bearing_search.errors import TrialFailedError
from bearing_search.evaluation.metrics import aupro
from bearing_search.evaluation.prediction_files import load_predictions, save_predictions
from bearing_search.evaluation.scored_region import (
    outside_as_lowest,
    region_sizes,
    regions_outside,
    scored_region,
)

GRID = (4, 4)
PROTOCOL = ProtocolConfig()


def config(margin=0.0, **others):
    return PostprocessConfig(margin_px=margin, **others)


def ring(side=64, outer=30.0, inner=10.0):
    steps = np.arange(side) - (side - 1) / 2
    radius = np.hypot(steps[:, None], steps[None])
    return ((radius <= outer) & (radius >= inner))[None], radius


def test_without_a_margin_everything_is_scored():
    roi, _ = ring()
    assert scored_region(roi, PostprocessConfig(), GRID) is None
    maps = np.zeros((1, 64, 64))
    assert outside_as_lowest(maps, None) is maps
    assert region_sizes(roi, PostprocessConfig(), GRID) == 64 * 64


def test_a_margin_of_0_scores_the_region_of_interest():
    roi, _ = ring()
    assert (scored_region(roi, config(), GRID) == roi).all()


@pytest.mark.parametrize(("outer", "inner"), [(6.0, None), (6.0, 0.0), (0.0, 6.0), (9.0, 2.0)])
def test_a_margin_cuts_a_rim_at_both_edges_of_a_ring(outer, inner):
    roi, radius = ring()
    (kept,) = scored_region(roi, config(outer, inner_margin_px=inner), GRID)
    inner = outer if inner is None else inner
    assert radius[kept].max() == pytest.approx(30 - outer, abs=1)
    assert radius[kept].min() == pytest.approx(10 + inner, abs=1)
    assert (kept == (kept & roi[0])).all()


def test_the_border_of_the_crop_is_an_edge():
    whole = np.ones((1, 20, 20), dtype=bool)
    (kept,) = scored_region(whole, config(3.0), GRID)
    assert kept[3:-3, 3:-3].all()
    assert kept.sum() == 14 * 14


def test_patches_that_the_mask_touches_can_be_left_out():
    roi = np.ones((1, 16, 16), dtype=bool)
    roi[0, 5, 9] = False  # in the patch of rows 4 to 7, columns 8 to 11
    (kept,) = scored_region(roi, config(leave_out_masked_patches=True), GRID)
    assert not kept[4:8, 8:12].any()
    assert kept.sum() == 16 * 16 - 16
    uneven = np.ones((1, 10, 10), dtype=bool)  # patches of 3, 2, 3, 2 pixels
    uneven[0, 0, 0] = False
    (kept,) = scored_region(uneven, config(leave_out_masked_patches=True), GRID)
    assert kept.sum() == 100 - 9


def test_a_margin_that_leaves_nothing_is_refused():
    roi, _ = ring()
    with pytest.raises(TrialFailedError, match=r"margin_px 11 leaves nothing .* of 1 of 1 samples"):
        scored_region(roi, config(11.0), GRID)
    with pytest.raises(ValueError, match="margin_px"):
        PostprocessConfig(leave_out_masked_patches=True)
    with pytest.raises(ValueError, match="margin_px"):
        PostprocessConfig(inner_margin_px=3.0)


def test_regions_count_as_missed_only_if_they_lie_wholly_outside():
    masks = np.zeros((2, 8, 8), dtype=bool)
    masks[1, 0, 0:2] = True  # outside
    masks[1, 3:6, 3] = True  # cut
    masks[1, 5, 6] = True  # inside
    region = np.zeros_like(masks)
    region[:, 4:] = True
    assert regions_outside(masks, region).tolist() == [0, 1]
    assert regions_outside(masks, None).tolist() == [0, 0]


@pytest.fixture
def bright_rim(predictions):
    """Maps whose rim outshines every defect, in regions of interest without the rim."""

    def make(margin):
        found = predictions(3.0)
        distances = found.distances.copy()
        distances[..., :2, :] = 50.0
        roi = np.ones_like(found.masks)
        roi[:, :2] = False
        found = replace(found, distances=distances, roi=roi)
        return found.with_postprocess(PostprocessConfig(margin_px=margin, smoothing_sigma_px=0.0))

    return make


def test_what_lies_outside_decides_nothing(bright_rim):
    everywhere, inside = bright_rim(None), bright_rim(0.0)
    assert everywhere.metrics(PROTOCOL)["image_auroc"] == 0.5
    assert inside.metrics(PROTOCOL)["image_auroc"] > 0.8
    assert inside.metrics(PROTOCOL)["pixel_ap"] > everywhere.metrics(PROTOCOL)["pixel_ap"] + 0.3
    assert inside.maps.max() < 50
    assert (inside.maps[:, :2] == inside.maps.min()).all()


def test_pixel_aupro_is_over_the_crop_and_another_over_the_region(bright_rim):
    inside = bright_rim(0.0)
    kept = inside.region[0]
    rows = kept.any(axis=1)
    cropped = aupro(inside.maps[:, rows], inside.masks[:, rows], fpr_limit=PROTOCOL.fpr_limit)
    (value,) = inside.inside_metrics(PROTOCOL).values()
    assert value == pytest.approx(cropped)
    assert inside.metrics(PROTOCOL)["pixel_aupro"] > value  # the rim is never a false alarm
    assert bright_rim(None).inside_metrics(PROTOCOL) == {}


def test_ground_truth_outside_the_region_is_missed(bright_rim):
    inside = bright_rim(5.0)  # the defects lie in rows 4 to 7
    assert inside.region[0, 7:, 5:11].any()
    wide = bright_rim(6.0)
    assert not (wide.region & wide.masks).any()
    assert wide.missed_regions == wide.is_anomalous.sum()
    assert wide.metrics(PROTOCOL)["pixel_aupro"] == 0
    drawn = wide.prepared(PROTOCOL).at(np.arange(len(wide.names)))
    assert drawn["pixel_aupro"] == 0


def test_a_resample_of_all_equals_the_metrics(bright_rim):
    inside = bright_rim(0.0)
    drawn = inside.prepared(PROTOCOL).at(np.arange(len(inside.names)))
    expected = inside.metrics(PROTOCOL)
    assert drawn == pytest.approx({name: expected[name] for name in drawn})


def test_the_detectors_own_image_scores_know_no_region(bright_rim):
    own = np.arange(24.0)[:, None]
    found = replace(bright_rim(None), own_scores=own)
    plain = found.with_postprocess(PostprocessConfig(smoothing_sigma_px=0.0))
    assert (plain.image_scores == own[:, 0]).all()
    masked = found.with_postprocess(PostprocessConfig(smoothing_sigma_px=0.0, margin_px=0.0))
    assert masked.image_scores.max() < 20


def test_top_share_is_a_share_of_the_region(bright_rim):
    found = bright_rim(0.0).with_postprocess(
        PostprocessConfig(
            margin_px=0.0, smoothing_sigma_px=0.0, image_score="top_share", top_share=0.05
        )
    )
    inside = np.sort(found.maps[0][found.region[0]])
    count = int(len(inside) * 0.05)
    assert found.image_scores[0] == pytest.approx(inside[-count:].mean(), rel=1e-5)


def test_the_region_of_interest_is_kept_with_the_predictions(bright_rim, tmp_path):
    found, file = bright_rim(1.0), tmp_path / "scored.npz"
    save_predictions(found, file)
    again = load_predictions(file)
    assert (again.roi == found.roi).all()
    assert (again.region == found.region).all()
    assert (again.maps == found.maps).all()
    assert again.missed_regions == found.missed_regions


def test_files_without_regions_of_interest_are_scored_to_the_border(predictions, tmp_path):
    file = tmp_path / "scored.npz"
    save_predictions(predictions(3.0), file)
    again = load_predictions(file)
    assert again.roi is None
    assert again.region is None
    other = again.with_postprocess(PostprocessConfig(margin_px=2.0))
    assert other.region[:, 2:-2, 2:-2].all()
    assert other.region.sum() == len(other.names) * 12 * 12
