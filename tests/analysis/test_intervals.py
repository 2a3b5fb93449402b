import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from bearing_search.analysis.intervals import (
    Influence,
    difference_interval,
    group_gains,
    metric_interval,
    rate_interval,
)


def part_of(contributions, *, floor=0.0, prefix="g", normal=(0.0, 0.0)):
    """A part whose only metric is the mean of what its anomalous groups contribute."""
    values = np.asarray(contributions, dtype=float)
    shifts = (values - values.mean()) / len(values)
    return Influence(
        metrics=("hits",),
        values=np.array([values.mean()]),
        floors=np.array([floor]),
        anomalous=tuple(f"{prefix}{i}" for i in range(len(values))),
        normal=tuple(f"n{i}" for i in range(len(normal))),
        of_anomalous=shifts[:, None],
        of_normal=np.array(normal, dtype=float)[:, None],
    )


def test_a_paired_difference_at_chance_is_the_t_test_with_one_more_pair_of_the_mean():
    rng = np.random.default_rng(0)
    ours, theirs = rng.random(9), rng.random(9)
    found = difference_interval(
        [part_of(ours, floor=ours.mean())], [part_of(theirs, floor=theirs.mean())], "hits"
    )
    gains = ours - theirs
    expected = stats.ttest_1samp([*gains, gains.mean()], 0).confidence_interval(0.95)
    assert found.value == pytest.approx(gains.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_one_more_defect_may_favour_either():
    ours, theirs = [part_of(np.ones(8), floor=0.2)], [part_of(np.ones(8), floor=0.2)]
    found = difference_interval(ours, theirs, "hits")
    ninth = 0.2  # a quarter of the way from 1 to .2
    error = math.sqrt(ninth**2 * 8 / 9 / (8 * 9))
    assert (found.low, found.high) == pytest.approx(
        np.array([-1, 1]) * stats.t.ppf(0.975, 8) * error
    )


def test_two_parts_add_their_variances_as_welch_has_it():
    rng = np.random.default_rng(1)
    first, second = rng.random(6), rng.random(11)
    zero = [part_of(np.zeros(6)), part_of(np.zeros(11))]
    flat = [part_of(x, floor=x.mean()) for x in (first, second)]
    found = difference_interval(flat, zero, "hits")
    more = [np.append(x, x.mean()) for x in (first, second)]
    welch = stats.ttest_ind(more[0], -more[1], equal_var=False).confidence_interval(0.95)
    # the mean of two parts is half their sum, the difference of `first` and `-second` is all of it
    assert (2 * found.low, 2 * found.high) == pytest.approx((welch.low, welch.high))


def test_seeds_widen_a_difference():
    ours, theirs = [part_of([0.5, 0.6, 0.7])], [part_of([0.4, 0.5, 0.8])]
    plain = difference_interval(ours, theirs, "hits")
    noisy = difference_interval(ours, theirs, "hits", seed_variance=0.01, seed_freedom=4)
    assert noisy.value == plain.value
    assert noisy.low < plain.low


def test_a_group_that_one_of_them_could_not_score_still_counts_for_the_other():
    one = part_of([0.2, 0.8])
    other = part_of([0.5], prefix="other")
    anomalous, normal = group_gains(one, other, "hits")
    assert anomalous == pytest.approx([-0.15, 0.15, 0])
    assert len(normal) == 2


def test_an_interval_of_a_value_worked_by_hand():
    # four groups at .6 +- .2; the fifth counts halfway to the floor: .6 - (.6 - .2) / 2 = .4
    found = metric_interval([part_of([0.4, 0.8, 0.4, 0.8], floor=0.2)], "hits")
    five = np.array([0.4, 0.8, 0.4, 0.8, 0.4])
    centre, error = five.mean(), five.std(ddof=1) / math.sqrt(5)
    step = stats.t.ppf(0.975, 4) * error / (centre * (1 - centre))
    logit = math.log(centre / (1 - centre))
    assert found.value == pytest.approx(0.6)
    assert found.low == pytest.approx(1 / (1 + math.exp(step - logit)))
    assert found.high == pytest.approx(1 / (1 + math.exp(-step - logit)))


def test_all_defects_found_is_not_certainty():
    found = metric_interval([part_of(np.ones(6), floor=0.5)], "hits")
    assert found.value == found.high == 1
    assert 0.6 < found.low < 0.8
    assert metric_interval([part_of(np.ones(60), floor=0.5)], "hits").low > found.low


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12), st.floats(0, 0.5))
@example([0.0, 5.7e-127], 0.0)  # the square of such a variance is 0
def test_an_interval_holds_its_value_and_stays_in_the_range_of_a_metric(contributions, floor):
    found = metric_interval([part_of(contributions, floor=floor)], "hits")
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_without_a_defect_or_with_a_single_normal_part_nothing_is_said():
    single_normal = [part_of([0.5, 0.6], normal=(0.1,))]
    assert math.isnan(metric_interval(single_normal, "hits").low)
    assert math.isnan(difference_interval(single_normal, single_normal, "hits").low)
    none = part_of([0.5])
    none = replace(none, anomalous=(), of_anomalous=np.empty((0, 1)))
    assert math.isnan(metric_interval([none], "hits").low)


def test_an_undefined_part_is_left_out_and_nothing_is_said_of_none():
    undefined = part_of([math.nan])
    known = part_of([0.2, 0.4, 0.6])
    assert metric_interval([known, undefined], "hits") == metric_interval([known], "hits")
    other = part_of([0.1, 0.5, 0.3])
    both = difference_interval([known, undefined], [other, undefined], "hits")
    assert both == difference_interval([known], [other], "hits")
    assert math.isnan(metric_interval([undefined], "hits").value)
    assert math.isnan(difference_interval([undefined], [undefined], "hits").value)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(0, 9, 0.0, 0.3363), (9, 9, 0.6637, 1.0), (5, 10, 0.1871, 0.8129), (1, 20, 0.0013, 0.2487)],
)
def test_exact_intervals_of_rates_as_the_tables_have_them(hits, trials, low, high):
    found = rate_interval(hits, trials)
    assert found.value == hits / trials
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_a_rate_of_nothing_is_unknown_and_an_impossible_one_refused():
    assert math.isnan(rate_interval(0, 0).value)
    with pytest.raises(ValueError, match="3 of 2"):
        rate_interval(3, 2)
    with pytest.raises(ValueError, match=r"-0\.5 of 2"):
        rate_interval(-0.5, 2)


@pytest.mark.parametrize("normal", [(0.2, -0.2), (0.1, -0.05, 0.03, -0.06, -0.02)])
def test_normal_groups_alone_scatter_by_their_number_less_one(normal):
    # at chance and with equal defects, only the normal groups move the value
    parts = [part_of([0.5, 0.5], floor=0.5, normal=normal)]
    zero = [part_of([0.0, 0.0], normal=[0.0] * len(normal))]
    found = difference_interval(parts, zero, "hits")
    n = len(normal)
    error = math.sqrt(n / (n - 1) * sum(shift**2 for shift in normal))
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, n - 1) * error)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_at_the_end_of_the_scale_noise_still_gives_an_interval(end):
    part = part_of([end] * 4, floor=end)
    found = metric_interval([part], "hits", seed_variance=1e-14, seed_freedom=4)
    assert 0 <= found.low <= end <= found.high <= 1
    assert 0 < found.high - found.low < 0.1


def test_the_interval_of_a_mean_over_parts_has_the_width_of_their_difference_from_nothing():
    first, second = np.array([0.2, 0.4, 0.7]), np.array([0.5, 0.6, 0.9, 0.7])
    normal = (0.1, -0.06, -0.04)
    flat = [part_of(x, floor=x.mean(), normal=normal) for x in (first, second)]
    found = metric_interval(flat, "hits")
    nothing = [part_of(np.zeros(len(x)), normal=(0, 0, 0)) for x in (first, second)]
    plain = difference_interval(flat, nothing, "hits")
    terms = [(np.append(x, x.mean()).var(ddof=1) / (len(x) + 1), len(x)) for x in (first, second)]
    terms += [(3 / 2 * sum(shift**2 for shift in normal), 2)] * 2
    total = sum(variance for variance, _ in terms)
    freedom = total**2 / sum(variance**2 / free for variance, free in terms)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(total) / 2
    assert plain.high - plain.value == pytest.approx(half)
    centre = (first.mean() + second.mean()) / 2
    step = (plain.high - plain.value) / (centre * (1 - centre))
    logit = math.log(centre / (1 - centre))
    assert found.value == pytest.approx(centre)
    assert found.low == pytest.approx(1 / (1 + math.exp(step - logit)))
    assert found.high == pytest.approx(1 / (1 + math.exp(-step - logit)))


def test_a_part_without_normal_groups_and_noise_of_no_seeds_add_nothing():
    contributions = [0.2, 0.5, 0.9]
    found = metric_interval([part_of(contributions, normal=())], "hits")
    assert found == metric_interval([part_of(contributions)], "hits")
    assert metric_interval([part_of(contributions)], "hits", seed_freedom=0) == found
