from dataclasses import replace

import numpy as np
import pytest

from bearing_search.analysis.intervals import rate_interval
from bearing_search.analysis.operating.operating_points import OperatingPoint
from bearing_search.analysis.subsets import by_kind, by_level_left_out, by_size, largest_regions
from bearing_search.analysis.unseen_kinds import unseen_kinds
from bearing_search.config import ProtocolConfig
from bearing_search.evaluation.metrics import auroc

PROTOCOL = ProtocolConfig(map_px=16)


def point(threshold, part="LC", rule="r"):
    nothing = rate_interval(0, 1)
    return OperatingPoint(
        part=part, rule=rule, threshold=threshold, found=nothing, false_alarms=nothing
    )


@pytest.fixture
def scored(predictions):
    """12 samples; every second one is anomalous: 4 dents that are found, 2 scratches that are not.

    The image scores are whole numbers: normals 0 to 5, dents 9, scratches 1 and 2.
    """
    kinds = ["dent", "dent", "scratch", "dent", "scratch", "dent"]
    scores = np.zeros(12)
    scores[1::2] = range(6)
    scores[::2] = [9, 9, 1, 9, 2, 9]
    defects = ["good"] * 12
    defects[::2] = kinds
    unit = predictions(1.0, num=12)
    return replace(unit, image_scores=scores, defects=tuple(defects))


def test_each_kind_is_scored_against_all_normals(scored):
    dent, scratch = by_kind({"LC/all": scored}, [point(2.0)], PROTOCOL, {"LC": {"dent"}})
    assert (dent.subset, dent.samples, dent.is_in_training) == ("dent", 4, True)
    assert (scratch.subset, scratch.samples, scratch.is_in_training) == ("scratch", 2, False)
    assert dent.found["r"] == rate_interval(4, 4)
    assert scratch.found["r"] == rate_interval(1, 2)  # 2 reaches the threshold, 1 does not
    assert dent.false_alarms == scratch.false_alarms == {"r": rate_interval(4, 6)}
    assert dent.image_auroc.value == 1
    # 1 and 2 among 0 to 5: a tie counts half
    assert scratch.image_auroc.value == pytest.approx((1.5 + 2.5) / 12)
    is_scratch = np.array([kind in ("scratch", "good") for kind in scored.defects])
    alone = scored.only(is_scratch)
    assert scratch.pixel_ap.value == pytest.approx(alone.metrics(PROTOCOL)["pixel_ap"])
    assert len(alone.names) == 8


def test_thresholds_are_those_of_the_part(scored):
    points = [point(2.0, rule="a"), point(9.5, part="OD", rule="a")]
    rows = by_kind({"LC/all": scored, "OD/all": scored}, points, PROTOCOL, {})
    found = {(row.part, row.subset): row.found["a"].value for row in rows}
    assert found == {
        ("LC", "dent"): 1,
        ("LC", "scratch"): 0.5,
        ("OD", "dent"): 0,
        ("OD", "scratch"): 0,
    }
    assert {row.is_in_training for row in rows} == {False}


def test_without_masks_or_recorded_kinds_less_is_said(scored):
    bare = replace(scored, masks=np.zeros_like(scored.masks))
    assert {row.pixel_ap for row in by_kind({"LC/all": bare}, [], PROTOCOL, {})} == {None}
    assert by_kind({"LC/all": replace(scored, defects=())}, [], PROTOCOL, {}) == ()


def test_a_size_is_the_largest_region_in_patches_of_the_grid(scored):
    masks = np.zeros((12, 16, 16), dtype=bool)
    masks[0, 0:2, 0:2] = True  # 4 pixels,
    masks[0, 8:12, 8:14] = True  # and 24 apart from them
    masks[2, 0:2, 0:2] = True
    masks[4, 0:4, 0:3] = True
    grid = np.zeros((12, 1, 1, 8, 4))  # 2 x 4 pixels a patch
    sized = replace(scored, masks=masks, distances=grid)
    assert largest_regions(sized)[[0, 2, 4, 6]] == pytest.approx([3, 0.5, 1.5, 0])


@pytest.mark.parametrize(
    ("pixels", "title"),
    [
        (1, "1 to 4 patches"),  # a pixel is a patch: a size at a limit belongs to the larger bin
        (3, "1 to 4 patches"),
        (4, "4 to 16 patches"),
        (15, "4 to 16 patches"),
        (16, "16 patches or more"),
        (0, "nothing marked on the map"),
    ],
)
def test_sizes_have_bins(scored, pixels, title):
    masks = np.zeros((12, 256), dtype=bool)
    masks[::2, :pixels] = True
    rows = by_size({"LC/all": replace(scored, masks=masks.reshape(12, 16, 16))}, [], PROTOCOL)
    assert [(row.subset, row.samples, row.is_in_training) for row in rows] == [(title, 6, None)]


def test_a_level_left_out_is_rendered_from_the_others_alone(scored):
    rng = np.random.default_rng(0)
    distances = rng.random((12, 3, 1, 16, 16)).astype(np.float32)
    levels = replace(
        scored, distances=distances, rendering=replace(scored.rendering, fusion="score_max")
    )
    rows = by_level_left_out({"LC/all": levels}, [point(0.998)], PROTOCOL)
    assert [row.subset for row in rows] == ["without b0", "without b1", "without b2"]
    highest = distances[:, [0, 2]].max(axis=(1, 2, 3, 4))
    assert rows[1].image_auroc.value == pytest.approx(auroc(highest, scored.is_anomalous))
    assert rows[1].found["r"].value == np.mean(highest[scored.is_anomalous] >= 0.998)
    assert by_level_left_out({"LC/all": scored}, [], PROTOCOL) == ()
    with pytest.raises(ValueError, match="no maps of their own"):
        scored.without_level(0)


def test_an_unseen_kind_is_put_beside_the_folds_that_learned_from_it(scored):
    other = replace(scored, image_scores=scored.image_scores + 100)
    unseen = {"LC/fold1": scored.only(np.array([d != "dent" for d in scored.defects]))}
    seen = {"LC/fold0": scored, "LC/fold1": other, "OD/fold0": scored}
    (row,) = unseen_kinds(unseen, seen, PROTOCOL)
    assert (row.part, row.kind, row.unseen.samples, row.seen.samples) == ("LC", "scratch", 2, 4)
    assert row.unseen.found == rate_interval(0, 2)  # 1 and 2 are below the highest normal, 5
    assert row.unseen.image_auroc.value == pytest.approx((1.5 + 2.5) / 12)
    assert row.seen.image_auroc.value == pytest.approx((1.5 + 2.5) / 12)
    assert row.seen.found.value == 0  # each by the normals of its own fold


def test_a_sample_as_high_as_the_highest_normal_is_not_above_it(scored):
    scores = scored.image_scores.copy()
    scores[[4, 8]] = [5, 5.5]
    unseen = {"LC/fold0": replace(scored, image_scores=scores)}
    dent, scratch = unseen_kinds(unseen, {}, PROTOCOL)
    assert dent.unseen.found == rate_interval(4, 4)
    assert scratch.unseen.found == rate_interval(1, 2)
    assert np.isnan(scratch.seen.found.value)
