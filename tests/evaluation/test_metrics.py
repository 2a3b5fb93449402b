import operator

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import (
    auc,
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
)

from bearing_search.errors import TrialFailedError
from bearing_search.evaluation.metric_table import METRICS, Metric
from bearing_search.evaluation.metrics import (
    MissedRegions,
    PreparedScores,
    aupro,
    auroc,
    average_precision,
    f1_max,
    score,
    trivial_floor,
)
from bearing_search.evaluation.rank_metrics import dtype_of_counts

FEW_VALUES = st.integers(0, 5).map(float)
SCORES = hnp.arrays(float, 30, elements=FEW_VALUES)
LABELS = hnp.arrays(bool, 30)


def one_region(rows, columns, side=10):
    mask = np.zeros((1, side, side), dtype=bool)
    mask[0, rows, columns] = True
    return mask


def some_data(seed=0, *, count=6, side=16, levels=None):
    """Maps that see about half of the regions; every second sample is anomalous."""
    generator = np.random.default_rng(seed)
    masks = np.zeros((count, side, side), dtype=bool)
    for index in range(0, count, 2):
        for _ in range(3):
            row, column = generator.integers(0, side - 4, size=2)
            masks[index, row : row + generator.integers(1, 5), column : column + 2] = True
    maps = generator.normal(size=masks.shape) + generator.uniform(0, 2) * masks
    if levels:
        maps = np.round(maps * levels) / levels
    is_anomalous = np.arange(count) % 2 == 0
    image_scores = generator.normal(size=count) + is_anomalous
    return maps.astype(np.float32), masks, image_scores, is_anomalous


def naive_aupro(maps, masks, limit):
    """Every distinct score is a threshold; every region is looked at, at each."""
    points = [(0.0, 0.0)]
    regions = []
    for index, mask in enumerate(masks):
        count, labelled = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        regions += [(index, labelled == number) for number in range(1, count)]
    for threshold in np.unique(maps)[::-1]:
        flagged = maps >= threshold
        overlap = np.mean([flagged[index][region].mean() for index, region in regions])
        points.append((flagged[~masks].mean(), overlap))
    rates, overlaps = np.array(points).T
    inside = rates <= limit
    rates_cut = np.append(rates[inside], limit)
    overlaps_cut = np.append(overlaps[inside], np.interp(limit, rates, overlaps))
    return np.trapezoid(overlaps_cut, rates_cut) / limit


class TestAgainstScikitLearn:
    @given(scores=SCORES, labels=LABELS)
    def test_auroc_ties_included(self, scores, labels):
        if labels.all() or not labels.any():
            assert np.isnan(auroc(scores, labels))
        else:
            assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))

    @given(scores=SCORES, labels=LABELS)
    def test_average_precision_ties_included(self, scores, labels):
        if not labels.any():
            assert np.isnan(average_precision(scores, labels))
        else:
            expected = average_precision_score(labels, scores)
            assert average_precision(scores, labels) == pytest.approx(expected)

    @given(scores=SCORES, labels=LABELS)
    def test_f1_max_ties_included(self, scores, labels):
        if not labels.any():
            assert np.isnan(f1_max(scores, labels))
        else:
            precision, recall, _ = precision_recall_curve(labels, scores)
            expected = (2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()
            assert f1_max(scores, labels) == pytest.approx(expected)


@given(
    seed=st.integers(0, 200),
    levels=st.sampled_from([None, 1, 3]),
    limit=st.sampled_from([0.05, 0.3, 1.0]),
)
def test_aupro_agrees_with_a_look_at_every_region_at_every_threshold(seed, levels, limit):
    maps, masks, *_ = some_data(seed, count=3, side=9, levels=levels)

    assert aupro(maps, masks, fpr_limit=limit) == pytest.approx(naive_aupro(maps, masks, limit))


class TestByHand:
    def test_a_constant_map_scores_like_chance_below_the_limit(self):
        # one tie: the curve is the diagonal, so the area up to .3 is .3**2 / 2, scaled by 1 / .3
        assert aupro(np.ones((1, 10, 10)), one_region(slice(3), slice(3))) == pytest.approx(0.15)

    def test_every_region_weighs_the_same_whatever_its_size(self):
        mask = one_region(slice(0, 5), slice(0, 5)) | one_region(slice(9, 10), slice(9, 10))
        only_the_dent = one_region(slice(9, 10), slice(9, 10)).astype(float)

        # The pixel is found at once, the 25 others only together with the background.
        assert aupro(only_the_dent, mask) == pytest.approx((0.5 + (0.5 + 0.5 * 0.3)) / 2)

    def test_a_region_found_after_some_false_alarms_loses_their_share(self):
        # 10 of 90 normal pixels score higher than the region, nothing else does
        mask = one_region(slice(0, 1), slice(0, 10))
        maps = one_region(slice(0, 1), slice(0, 10)) * 1.0 + 2 * one_region(slice(5, 6), slice(10))

        assert aupro(maps, mask) == pytest.approx((0.3 - 1 / 9) / 0.3)

    def test_pixels_that_touch_at_a_corner_are_one_region(self):
        diagonal = np.eye(10, dtype=bool)[None]
        half_found = diagonal * 1.0
        half_found[0, 5:, 5:] = 0

        # as two regions the first would be whole; as one it is half found, then with the rest
        assert aupro(half_found, diagonal) == pytest.approx(0.5 + 0.5 * 0.15)

    def test_four_scores(self):
        scores = np.array([4.0, 3.0, 2.0, 1.0])
        labels = np.array([True, False, True, False])

        assert auroc(scores, labels) == 0.75
        assert average_precision(scores, labels) == pytest.approx((1 + 2 / 3) / 2)
        assert f1_max(scores, labels) == pytest.approx(0.8)

    def test_the_200_thresholds_move_with_the_scale_and_the_exact_form_does_not(self):
        maps, masks, image_scores, labels = some_data()
        exact, even = (
            {
                score((maps / 2).astype(np.float32), masks, image_scores, labels)[name],
                score(np.exp(4 * maps), masks, image_scores, labels)[name],
            }
            for name in ("pixel_aupro", "pixel_aupro_200")
        )

        assert max(exact) - min(exact) < 1e-9
        assert max(even) - min(even) > 0.01


class TestMissedRegions:
    def test_a_region_that_was_cut_away_is_never_found(self):
        maps, masks, *_ = some_data()
        regions = sum(cv2.connectedComponents(m.astype(np.uint8))[0] - 1 for m in masks)

        found = aupro(maps, masks, missed_regions=2)
        assert found == pytest.approx(aupro(maps, masks) * regions / (regions + 2))

    def test_cutting_a_region_away_never_pays(self):
        # the region is seen worst of all; without it the rest looks perfect
        mask = one_region(slice(0, 2), slice(0, 2)) | one_region(slice(7, 9), slice(7, 9))
        maps = 2.0 * one_region(slice(0, 2), slice(0, 2)) - 1.0 * one_region(
            slice(7, 9), slice(7, 9)
        )
        cropped_mask, cropped = mask[:, :6, :6], maps[:, :6, :6]

        assert aupro(cropped, cropped_mask) == 1
        assert aupro(cropped, cropped_mask, missed_regions=1) == 0.5 <= aupro(maps, mask)

    def test_all_regions_cut_away_give_zero(self):
        nothing = np.zeros((1, 4, 4), dtype=bool)

        assert aupro(np.ones((1, 4, 4)), nothing, missed_regions=3) == 0


def tied_data(seed=0, *, levels=2):
    """Data with many ties between normal and anomalous pixels, and between samples."""
    maps, masks, image_scores, labels = some_data(seed, count=12, levels=levels)
    return maps, masks, np.round(image_scores), labels


def at_a_loss(better, worse, metric):
    """By how much a value falls short of another one, in the metric's direction; NaN: nothing."""
    return np.nan_to_num(better - worse) * (1 if metric.direction == "max" else -1)


class TestTies:
    """Every entry of METRICS sees a tie as a tie; `values_of` is what reports and searches use."""

    @given(seed=st.integers(0, 100))
    def test_the_order_of_equal_scores_does_not_matter(self, seed):
        data = tied_data(seed)
        anomalous_first = np.argsort(~data[3], kind="stable")
        found = score(*data)
        for order in (anomalous_first, anomalous_first[::-1]):
            maps, masks, image_scores, labels = (array[order] for array in data)
            moved = score(maps[:, ::-1, ::-1], masks[:, ::-1, ::-1], image_scores, labels)
            assert {n: moved[n] for n in METRICS} == pytest.approx({n: found[n] for n in METRICS})

    @given(seed=st.integers(0, 100))
    def test_a_tie_broken_in_favour_of_the_defects_never_loses(self, seed):
        maps, masks, image_scores, labels = tied_data(seed)
        tied = score(maps, masks, image_scores, labels)
        broken = score(maps + np.float32(1e-3) * masks, masks, image_scores + 1e-3 * labels, labels)

        lost = {n: at_a_loss(tied[n], broken[n], metric) for n, metric in METRICS.items()}
        assert {n: value for n, value in lost.items() if value > 1e-12} == {}

    def test_one_tie_of_everything_is_worse_than_one_that_is_broken_well(self):
        _, masks, _, labels = tied_data()
        level, flat = np.zeros(masks.shape, dtype=np.float32), np.zeros(len(labels))
        constant = score(level, masks, flat, labels)
        perfect = score(masks.astype(np.float32), masks, labels.astype(float), labels)

        gains = {n: at_a_loss(perfect[n], constant[n], metric) for n, metric in METRICS.items()}
        assert {n: gain for n, gain in gains.items() if gain < 0.05} == {}


class TestInvariants:
    def test_only_the_ranking_matters(self):
        maps, masks, image_scores, labels = some_data()
        found = score(maps, masks, image_scores, labels)
        stretched = score(np.exp(2 * maps), masks, image_scores**3, labels)

        assert [stretched[name] for name in METRICS] == [found[name] for name in METRICS]

    def test_the_same_data_ten_times_over_gives_the_same(self):
        data = some_data()
        found = score(*data)
        tenfold = score(*(np.concatenate([array] * 10) for array in data))

        assert tenfold == pytest.approx(found)

    def test_the_order_of_the_samples_does_not_matter(self):
        data = some_data(levels=3)
        order = np.random.default_rng(1).permutation(len(data[0]))

        assert score(*(array[order] for array in data)) == pytest.approx(score(*data))

    def test_neither_does_turning_the_maps(self):
        maps, masks, image_scores, labels = some_data(levels=3)
        turned, turned_masks = (
            np.ascontiguousarray(np.rot90(array, axes=(1, 2))) for array in (maps, masks)
        )

        assert score(turned, turned_masks, image_scores, labels) == pytest.approx(
            score(maps, masks, image_scores, labels)
        )

    @given(seed=st.integers(0, 100))
    def test_every_metric_lies_between_zero_and_one(self, seed):
        values = score(*some_data(seed, levels=2)).values()

        assert all(np.isnan(value) or 0 <= value <= 1 + 1e-12 for value in values)

    def test_a_perfect_map_scores_one_in_all_but_the_rescaled_form(self):
        _, masks, _, labels = some_data()

        values = score(masks.astype(np.float32), masks, labels.astype(float), labels)
        assert [values[name] for name in METRICS] == [1] * len(METRICS)


class TestDegenerate:
    def test_no_region_is_nan_not_one(self):
        assert np.isnan(aupro(np.ones((1, 10, 10)), np.zeros((1, 10, 10), dtype=bool)))

    def test_no_normal_pixel_is_nan(self):
        assert np.isnan(aupro(np.ones((1, 4, 4)), np.ones((1, 4, 4), dtype=bool)))

    def test_normal_samples_alone(self):
        maps, masks, image_scores, _ = some_data()
        values = score(maps, np.zeros_like(masks), image_scores, np.zeros(len(maps), dtype=bool))

        assert set(values) == {*METRICS, "pixel_aupro_200"}
        assert all(np.isnan(value) for value in values.values())

    def test_a_label_holds_even_where_nobody_drew_a_mask(self):
        maps, masks, _, labels = some_data()
        blank = masks.copy()
        blank[0] = False

        assert score(maps, blank, labels.astype(float), labels)["image_auroc"] == 1

    @pytest.mark.parametrize("broken", [np.nan, np.inf])
    def test_a_diverged_training_is_a_failed_trial(self, broken):
        maps, masks, image_scores, labels = some_data()
        maps[1, 2, 3] = broken

        with pytest.raises(TrialFailedError, match="1 anomaly scores are not finite"):
            score(maps, masks, image_scores, labels)


@pytest.mark.parametrize("ends", ["as drawn", "anomalous", "normal"])
def test_the_200_thresholds_are_those_of_the_official_loop(ends):
    maps, masks, image_scores, labels = some_data(3)
    if ends != "as drawn":  # the lowest and the highest score are of one kind
        places = np.argwhere(masks == (ends == "anomalous"))
        maps[tuple(places[0])], maps[tuple(places[-1])] = -6, 7
    low, high = maps.min(), maps.max()
    rates, overlaps = [], []
    for threshold in np.arange(low, high, (high - low) / 200, dtype=np.float32)[:200]:
        flagged = maps > threshold
        regions = [
            flagged[index][labelled == number].mean()
            for index, mask in enumerate(masks)
            for count, labelled in [cv2.connectedComponents(mask.astype(np.uint8))]
            for number in range(1, count)
        ]
        rates.append(flagged[~masks].mean())
        overlaps.append(np.mean(regions))
    for limit in (0.3, max(rate for rate in rates if rate < 0.3)):  # a rate at the limit is out
        kept = np.array(rates) < limit
        expected = auc(
            np.array(rates)[kept] / np.array(rates)[kept].max(), np.array(overlaps)[kept]
        )
        found = score(maps, masks, image_scores, labels, fpr_limit=limit)["pixel_aupro_200"]
        assert found == pytest.approx(expected)


class TestTrivialFloor:
    def test_one_score_for_everything(self):
        _, masks, _, labels = some_data()
        pixels, samples = masks.mean(), labels.mean()

        expected = {
            "pixel_aupro": 0.15,
            "pixel_auroc": 0.5,
            "pixel_ap": pixels,
            "pixel_f1_max": 2 * pixels / (1 + pixels),
            "image_auroc": 0.5,
            "image_ap": samples,
            "image_f1_max": 2 * samples / (1 + samples),
        }
        found = trivial_floor(masks, labels)
        assert {name: found[name] for name in expected} == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("anomalous", "normal", "f1"), [(23, 7, 0.8679), (29, 24, 0.7073), (46, 9, 0.9109)]
    )
    def test_the_papers_parts(self, anomalous, normal, f1):
        labels = np.arange(anomalous + normal) < anomalous
        masks = np.zeros((len(labels), 2, 2), dtype=bool)

        floor = trivial_floor(masks, labels)
        assert floor["image_f1_max"] == pytest.approx(f1, abs=5e-5)
        assert np.isnan(floor["pixel_aupro"])


class TestPreparedScores:
    @given(seed=st.integers(0, 50), levels=st.sampled_from([None, 1, 3]), data=st.data())
    def test_a_resample_scores_like_its_own_data(self, seed, levels, data):
        predictions = some_data(seed, levels=levels)
        drawn = data.draw(hnp.arrays(int, st.integers(1, 9), elements=st.integers(0, 5)))

        found = PreparedScores(*predictions).at(drawn)

        expected = score(*(array[drawn] for array in predictions))
        del expected["pixel_aupro_200"]
        assert found == pytest.approx(expected, nan_ok=True)

    def test_missed_regions_count_as_often_as_their_sample(self):
        predictions = some_data()
        missed = [2, 0, 0, 1, 0, 0]
        drawn = np.array([0, 0, 2, 3])

        found = PreparedScores(*predictions, missed=MissedRegions(by_sample=missed)).at(drawn)

        expected = score(*(array[drawn] for array in predictions), missed_regions=5)
        assert found["pixel_aupro"] == pytest.approx(expected["pixel_aupro"])

    def test_regions_of_samples_without_a_map_are_missed_in_every_resample(self):
        predictions, drawn = some_data(), np.array([0, 2, 3])

        found = PreparedScores(*predictions, missed=MissedRegions(without_map=2)).at(drawn)

        expected = score(*(array[drawn] for array in predictions), missed_regions=2)
        assert found["pixel_aupro"] == pytest.approx(expected["pixel_aupro"])

    def test_an_anomalous_sample_without_a_mask_counts_by_its_score_alone(self):
        maps, masks, image_scores, labels = some_data()
        masks[0] = False
        unknown = MissedRegions(is_unknown=[True] + [False] * 5)

        found = PreparedScores(maps, masks, image_scores, labels, missed=unknown)
        values = found.at(np.array([0, 0, 1, 2]))

        known, drawn = [1, 2], [0, 0, 1, 2]
        expected = score(maps[known], masks[known], image_scores[drawn], labels[drawn])
        del expected["pixel_aupro_200"]
        assert values == pytest.approx(expected)


def test_counts_are_held_in_the_smallest_type_that_is_exact():
    assert dtype_of_counts(2**24) == np.float32
    assert dtype_of_counts(2**24 + 1) == np.float64
    assert np.float32(2**24 - 1) + np.float32(1) == np.float32(2**24) + np.float32(1) == 2**24


def test_a_metric_of_samples_sees_no_regions_and_one_of_pixels_the_protocols_limit(monkeypatch):
    regions, limit = operator.attrgetter("num_regions"), operator.attrgetter("fpr_limit")
    of_samples = Metric(title="regions", level="image", direction="max", function=regions)
    of_pixels = Metric(title="limit", level="pixel", direction="max", function=limit)
    monkeypatch.setitem(METRICS, "image_regions", of_samples)
    monkeypatch.setitem(METRICS, "pixel_limit", of_pixels)
    values = score(*some_data(), fpr_limit=0.1)
    assert (values["image_regions"], values["pixel_limit"]) == (0, 0.1)
    resampled = PreparedScores(*some_data(), fpr_limit=0.1).at(np.arange(6))
    assert (resampled["image_regions"], resampled["pixel_limit"]) == (0, 0.1)
