import numpy as np
import pytest
from scipy import stats

from bearing_search.analysis.operating.rate_bounds import (
    errors_allowed,
    largest_rate,
    simultaneous_confidence,
    trials_needed,
)


def test_what_no_hit_at_all_still_allows():
    assert largest_rate(9) == pytest.approx(0.2831, abs=5e-5)
    assert largest_rate(0) == 1
    assert trials_needed(0.02) == 149
    assert largest_rate(149) <= 0.02 < largest_rate(148)


@pytest.mark.parametrize(("errors", "trials"), [(0, 12), (1, 12), (5, 40), (11, 12)])
@pytest.mark.parametrize("confidence", [0.6, 0.95, 0.99])
def test_the_bound_is_the_rate_at_which_so_few_errors_are_just_credible(errors, trials, confidence):
    bound = largest_rate(trials, errors, confidence)
    assert stats.binom.cdf(errors, trials, bound) == pytest.approx(1 - confidence)


def test_a_bound_of_errors_alone_is_one_and_an_impossible_count_is_refused():
    assert largest_rate(3, 3) == 1
    with pytest.raises(ValueError, match="4 of 3"):
        largest_rate(3, 4)


@pytest.mark.parametrize("errors", [0, 1, 2, 7])
@pytest.mark.parametrize("rate", [0.01, 0.2, 0.9])
def test_the_trials_needed_are_the_fewest(errors, rate):
    needed = trials_needed(rate, errors)
    assert largest_rate(needed, errors) <= rate
    assert needed - 1 < errors or largest_rate(needed - 1, errors) > rate


def test_known_sample_sizes_of_zero_failure_plans():
    assert trials_needed(0.01) == 299
    assert trials_needed(0.05) == 59
    assert trials_needed(0.05, 1) == 93  # tables of nonparametric tolerance limits
    assert trials_needed(0.1, 0, 0.9) == 22


@pytest.mark.parametrize("trials", [59, 92, 93, 300])
def test_one_more_error_than_allowed_breaks_the_promise(trials):
    allowed = errors_allowed(trials, 0.05)
    assert largest_rate(trials, allowed) <= 0.05 < largest_rate(trials, allowed + 1)


def test_too_few_trials_allow_not_even_none():
    assert errors_allowed(58, 0.05) is None
    assert errors_allowed(59, 0.05) == 0
    assert errors_allowed(0, 0.5) is None


@pytest.mark.parametrize("trials", [1, 5, 60])
def test_simultaneous_bounds_hold_at_all_thresholds_at_once(trials):
    each = simultaneous_confidence(trials, 0.9)
    rng, repeats = np.random.default_rng(1), 2000
    # true rates above the scores in falling order: uniform order statistics
    true = np.sort(rng.random((repeats, trials)), axis=1)
    bounds = np.array([largest_rate(trials, errors, each) for errors in range(trials)])
    held = (true <= bounds).all(axis=1).mean()
    assert held == pytest.approx(0.9, abs=0.025)
    if trials > 1:
        alone = np.array([largest_rate(trials, errors, 0.9) for errors in range(trials)])
        assert (true <= alone).all(axis=1).mean() < 0.85
