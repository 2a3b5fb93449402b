import math

import numpy as np
import pytest
from scipy import stats

from bearing_search.analysis.intervals import rate_interval
from bearing_search.analysis.operating.rates import grouped_rate


def hits_of(*counts):
    """Hits and groups of (hits, samples) pairs, one pair per group."""
    is_hit = [i < hits for hits, size in counts for i in range(size)]
    groups = [f"g{g}" for g, (_, size) in enumerate(counts) for _ in range(size)]
    return np.array(is_hit, dtype=bool), groups


def test_single_samples_have_the_exact_interval():
    is_hit, groups = hits_of(*[(1, 1)] * 5, *[(0, 1)] * 5)
    assert grouped_rate(is_hit, groups) == rate_interval(5, 10)
    assert math.isnan(grouped_rate(np.zeros(0, dtype=bool), []).value)


def test_the_rate_is_of_samples_and_groups_only_widen_it():
    is_hit, groups = hits_of((5, 10), (7, 10), (6, 10), (4, 10))
    found, single = grouped_rate(is_hit, groups), rate_interval(22, 40)
    assert found.value == single.value == 0.55
    assert found.low < single.low
    assert found.high > single.high


def test_without_a_hit_or_a_miss_each_group_is_one_observation():
    none, groups = hits_of((0, 10), (0, 6), (0, 4))
    assert grouped_rate(none, groups) == rate_interval(0, 3)
    assert grouped_rate(~none, groups) == rate_interval(3, 3)


def test_samples_that_are_all_alike_within_their_group_count_once():
    is_hit, groups = hits_of((4, 4), (0, 4), (4, 4), (0, 4), (0, 4), (4, 4))
    assert grouped_rate(is_hit, groups) == rate_interval(3, 6)


def test_groups_of_one_rate_leave_the_samples_independent():
    is_hit, groups = hits_of((1, 4), (1, 4), (1, 4))
    assert grouped_rate(is_hit, groups) == rate_interval(3, 12)


def test_one_hit_of_all_is_no_longer_silent_about_the_spread():
    # two groups of three samples: 6^2 / 18 = 2 at the least, which is what the spread says
    for hits in ((1, 3), (0, 3)), ((3, 3), (2, 3)):
        is_hit, groups = hits_of(*hits)
        rate, variance = is_hit.mean(), 2 / 1 * 2 * 0.5**2 / 36
        unknown = (stats.t.ppf(0.975, 5) / stats.t.ppf(0.975, 1)) ** 2
        assert rate * (1 - rate) / variance * unknown < 2
        expected = rate_interval(rate * 2, 2)
        found = grouped_rate(is_hit, groups)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert found.value == rate


def test_one_group_is_one_observation():
    is_hit, groups = hits_of((3, 4))
    found = grouped_rate(is_hit, groups)
    assert found.value == 0.75
    assert found.high - found.low > 0.9


def test_an_effective_number_worked_by_hand():
    is_hit, groups = hits_of((2, 4), (3, 4), (1, 4), (3, 4), (2, 4))
    rate, variance = 11 / 20, 5 / 4 * sum((h - 2.2) ** 2 for h in (2, 3, 1, 3, 2)) / 400
    unknown = (stats.t.ppf(0.975, 19) / stats.t.ppf(0.975, 4)) ** 2
    effective = rate * (1 - rate) / variance * unknown
    assert 5 < effective < 20
    found, expected = grouped_rate(is_hit, groups), rate_interval(rate * effective, effective)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("likeness", [0.01, 0.3, 0.8])
@pytest.mark.parametrize(("groups", "size"), [(3, 10), (8, 4)])
def test_the_interval_holds_the_rate_as_often_as_it_says(groups, size, likeness):
    rng, rate, prior = np.random.default_rng(0), 0.3, (1 - likeness) / likeness
    names = [f"g{g}" for g in range(groups) for _ in range(size)]
    hits = 0
    for _ in range(300):
        of_groups = rng.beta(rate * prior, (1 - rate) * prior, groups)
        found = grouped_rate(rng.random(groups * size) < np.repeat(of_groups, size), names)
        hits += found.low <= rate <= found.high
    assert hits / 300 >= 0.92
