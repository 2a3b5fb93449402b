import itertools
import math

import numpy as np
import pytest

from bearing_search.drift_checks import statistics


def test_the_rank_statistic_is_counted_exactly():
    counts = [0] * 21
    for chosen in itertools.combinations(range(9), 4):
        counts[sum(chosen) - 6] += 1
    assert statistics._rank_sums(4, 5) == counts[:11]


def test_a_shift_worked_out_by_hand():
    found = statistics.shift(np.array([1.0, 2.0, 3.0]), np.array([11.0, 12.0, 13.0]), 0.9)
    assert found.value == 10
    # 1 of 20 orders lies beyond each end: the extreme differences bound 90 %
    assert (found.low, found.high) == (8, 12)
    assert math.isnan(statistics.shift(np.arange(3.0), np.arange(3.0), 0.95).low)
    assert math.isnan(statistics.shift(np.array([]), np.arange(3.0), 0.95).value)


@pytest.mark.parametrize(("before", "now"), [(30, 6), (30, 30)])
def test_the_interval_of_a_shift_holds(before, now):
    rng = np.random.default_rng(0)
    missed = sum(
        statistics.shift(rng.exponential(size=before), rng.exponential(size=now), 0.9).excludes(0)
        for _ in range(400)
    )
    assert 0.05 < missed / 400 < 0.145


def test_an_adjusted_shift_takes_the_others_into_account():
    rng = np.random.default_rng(0)
    before, now = rng.normal(size=(40, 2)), rng.normal(size=(40, 2))
    now[:, 0] += 1
    for rows in (before, now):
        rows[:, 1] = 2 * rows[:, 0] + 0.1 * rows[:, 1]
    assert statistics.shift(before[:, 1], now[:, 1], 0.95).low > 0.5
    assert not statistics.adjusted_shift(before, now, 0.95).excludes(0)
    now[:, 1] += 0.5
    found = statistics.adjusted_shift(before, now, 0.95)
    assert found.low < 0.5 < found.high
    assert found.low > 0.4
    assert math.isnan(statistics.adjusted_shift(before[:1], now[:1], 0.95).low)


def test_pictures_beyond_the_range_are_expected():
    # of 40 new ones, 2 * 40 / 21 = 3.8 lie beyond the range of 20 on average
    assert not statistics.too_many_beyond(6, 40, 20, 0.95)
    assert statistics.too_many_beyond(16, 40, 20, 0.95)
    rng = np.random.default_rng(0)
    called = 0
    for _ in range(500):
        old, new = rng.normal(size=20), rng.normal(size=40)
        beyond = int(((new < old.min()) | (new > old.max())).sum())
        called += statistics.too_many_beyond(beyond, 40, 20, 0.9)
    assert 0.03 < called / 500 <= 0.14


def test_shares_are_exact():
    found = statistics.rate(0, 10, 0.95)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 10))
    assert statistics.rates_differ((12, 52), (0, 60), 0.99)
    assert not statistics.rates_differ((1, 20), (0, 20), 0.95)


def test_two_groups():
    rng = np.random.default_rng(0)
    assert statistics.two_groups(rng.normal(size=100)) is None
    assert statistics.two_groups(np.ones(30)) is None
    found = statistics.two_groups(np.concatenate([np.zeros(30), np.full(10, 5.0)]))
    assert found == (10, 0.0, 5.0)


def test_how_many_pictures_would_tell():
    assert statistics.num_needed(5, 0.99) is None
    few, many = statistics.num_needed(1000, 0.95), statistics.num_needed(20, 0.95)
    assert 3 < few < many
