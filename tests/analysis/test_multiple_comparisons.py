import numpy as np
import pytest
from scipy import stats

from bearing_search.analysis.multiple_comparisons import compare_with_best


def test_two_settings_are_compared_as_by_a_one_sided_test():
    shifts = np.random.default_rng(0).normal(size=(40, 2))
    error = np.sqrt(((shifts[:, 1] - shifts[:, 0]) ** 2).sum())
    for gap, is_tied in ((1.59, True), (1.79, False)):  # Student's t, 38 degrees of freedom: 1.686
        found = compare_with_best(np.array([gap * error, 0.0]), shifts, np.zeros(2), draws=20_000)
        assert found.is_tied.tolist() == [True, is_tied]
    assert found.critical == pytest.approx([1.686, 1.686], abs=0.04)


def test_many_independent_settings_get_the_critical_value_of_dunnett():
    shifts = np.eye(11)  # independent, all of variance 1
    found = compare_with_best(np.zeros(11), shifts, np.zeros(11), draws=40_000)
    pairs = 0.5 + 0.5 * np.eye(10)  # gaps to one and the same setting correlate by a half
    dunnett = stats.multivariate_t(np.zeros(10), pairs, df=9, seed=0)
    assert dunnett.cdf(np.full(10, found.critical[0])) == pytest.approx(0.95, abs=0.01)


def test_equal_scores_are_tied_and_have_no_gain():
    shifts = np.ones((5, 1)) * [1.0, 1.0]
    found = compare_with_best(np.array([0.7, 0.7]), shifts, np.zeros(2))
    assert found.is_tied.all()
    assert found.gain(0, over=1).low == found.gain(0, over=1).high == 0


def test_a_single_setting_is_the_best():
    assert compare_with_best(np.array([0.5]), np.ones((4, 1)), np.zeros(1)).is_tied.all()


def test_the_luck_of_training_keeps_settings_tied():
    shifts = 0.001 * np.random.default_rng(0).normal(size=(40, 2))
    values = np.array([0.8, 0.7])
    assert not compare_with_best(values, shifts, np.zeros(2)).is_tied.all()
    assert compare_with_best(values, shifts, np.full(2, 0.01)).is_tied.all()


def test_a_gain_holds_its_value_and_widens_with_the_number_of_rivals():
    shifts = np.random.default_rng(1).normal(size=(30, 50))
    few = compare_with_best(np.zeros(2), shifts[:, :2], np.zeros(2)).gain(1, over=0)
    many = compare_with_best(np.zeros(50), shifts, np.zeros(50)).gain(1, over=0)
    assert many.low < few.low < 0 < few.high < many.high
