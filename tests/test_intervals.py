import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.intervals import cluster_bootstrap
from bearing_search.metrics import PreparedScores


def own_groups(count):
    return [f"part{index}" for index in range(count)]


def mean_of(values):
    return lambda drawn: {"mean": float(values[drawn].mean())}


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(size=400)

    interval = cluster_bootstrap(own_groups(400), mean_of(values), resamples=4000)["mean"]

    half = 1.96 * values.std() / 20
    assert interval.value == values.mean()
    # the ends of 4,000 resamples scatter by about 3 % of the half width
    assert interval.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_a_share_of_two_groups_by_hand():
    # the mean of two groups 0 and 1 is 0, 1/2, 1 with chances 1/4, 1/2, 1/4
    draws = []

    def statistic(drawn):
        draws.append(np.array([0.0, 1.0])[drawn].mean())
        return {"mean": float(draws[-1])}

    interval = cluster_bootstrap(["a", "b"], statistic, resamples=4000)["mean"]

    assert (interval.low, interval.value, interval.high) == (0, 0.5, 1)
    assert np.mean(np.array(draws[1:]) == 0.5) == pytest.approx(0.5, abs=0.04)  # 5 deviations


def test_a_group_is_drawn_whole_or_not_at_all():
    groups = ["a", "b", "a", "b", "b", "c"]

    def statistic(drawn):
        counts = np.bincount(drawn, minlength=6)
        assert counts[0] == counts[2]
        assert counts[1] == counts[3] == counts[4]
        return {"groups": float(counts[0] + counts[1] + counts[5])}

    interval = cluster_bootstrap(groups, statistic, resamples=200)["groups"]
    assert (interval.low, interval.high) == (3, 3)


def test_views_of_one_part_are_no_independent_evidence():
    values = np.repeat(np.random.default_rng(0).normal(size=20), 6)
    as_parts = [f"part{index // 6}" for index in range(120)]

    wide = cluster_bootstrap(as_parts, mean_of(values))["mean"]
    narrow = cluster_bootstrap(own_groups(120), mean_of(values))["mean"]
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(6**0.5, rel=0.1)


def test_within_strata_every_resample_has_the_same_labels():
    labels = np.array([True] * 3 + [False] * 9)

    interval = cluster_bootstrap(
        own_groups(12), mean_of(labels), strata=labels.tolist(), resamples=300
    )["mean"]
    assert (interval.low, interval.high) == (0.25, 0.25)


def test_parts_with_views_of_both_labels_are_a_stratum_of_their_own():
    groups = ["mixed0", "mixed0", "mixed1", "mixed1", "good0", "good1", "bad0", "bad1"]
    labels = np.array([1, 0, 1, 0, 0, 0, 1, 1])

    interval = cluster_bootstrap(groups, mean_of(labels), strata=labels.tolist())["mean"]
    assert (interval.low, interval.high) == (0.5, 0.5)


def test_a_difference_on_the_same_samples_is_narrower_than_either():
    generator = np.random.default_rng(0)
    first = generator.normal(size=60)
    second = first + 0.1 + 0.01 * generator.normal(size=60)

    found = cluster_bootstrap(
        own_groups(60),
        lambda drawn: {
            "first": float(first[drawn].mean()),
            "gain": float((second[drawn] - first[drawn]).mean()),
        },
    )
    assert 0.09 < found["gain"].low < found["gain"].high < 0.11
    assert found["first"].high - found["first"].low > 0.3


@given(count=st.integers(2, 12), seed=st.integers(0, 9))
def test_equal_seeds_give_equal_intervals_within_the_range_of_the_values(count, seed):
    values = np.random.default_rng(seed).normal(size=count)

    first, second = (
        cluster_bootstrap(own_groups(count), mean_of(values), resamples=50, seed=seed)["mean"]
        for _ in range(2)
    )
    assert first == second
    assert values.min() - 1e-9 <= first.low <= first.high <= values.max() + 1e-9


def test_a_single_part_has_no_interval():
    interval = cluster_bootstrap(["a", "a"], mean_of(np.arange(2.0)))["mean"]

    assert interval.value == 0.5
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_undefined_resamples_are_counted_and_left_out():
    values = np.array([np.nan, 1.0, 1.0])

    interval = cluster_bootstrap(own_groups(3), mean_of(values), resamples=900)["mean"]
    assert math.isnan(interval.value)
    assert (interval.low, interval.high) == (1, 1)
    # the first sample is in a draw of three with a chance of 19/27
    assert interval.undefined == pytest.approx(900 * 19 / 27, abs=70)  # 5 deviations


def test_metrics_of_maps_get_their_intervals_from_prepared_scores():
    generator = np.random.default_rng(0)
    masks = np.zeros((8, 12, 12), dtype=bool)
    masks[:4, 2:4, 2:5] = True
    maps = (generator.normal(size=masks.shape) + 1.5 * masks).astype(np.float32)
    labels = np.arange(8) < 4
    prepared = PreparedScores(maps, masks, maps.max(axis=(1, 2)).astype(float), labels)

    found = cluster_bootstrap(own_groups(8), prepared.at, strata=labels.tolist(), resamples=100)

    interval = found["pixel_aupro"]
    assert interval.low < interval.value < interval.high
    assert interval.undefined == 0
