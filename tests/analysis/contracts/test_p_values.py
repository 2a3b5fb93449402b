import numpy as np
import pytest

from bearing_search.analysis.contracts.p_values import (
    held_out_p_values,
    p_values,
    worst_false_alarm_rate,
)
from bearing_search.analysis.contracts.views import GroupScores


def test_a_p_value_counts_the_new_part_and_ties():
    found = p_values(np.arange(9.0), np.array([99.0, 8.0, 7.5, -1.0]))
    assert found.tolist() == [0.1, 0.2, 0.2, 1.0]


def test_a_held_out_normal_is_compared_with_the_others():
    groups = GroupScores(
        scores=np.array([3.0, 1.0, 2.0, 9.0]),
        is_anomalous=np.array([False, False, False, True]),
        names=("a", "b", "c", "d"),
    )
    assert held_out_p_values(groups) == pytest.approx([1 / 3, 1, 2 / 3, 1 / 4])


def test_small_p_values_of_new_normals_are_as_rare_as_they_say():
    rng = np.random.default_rng(0)
    draws = np.sort(rng.gamma(1.0, size=(4000, 19)), axis=1)
    new = rng.gamma(1.0, size=4000)
    found = np.array([p_values(one, new[[i]])[0] for i, one in enumerate(draws)])
    for alpha in (0.05, 0.25, 0.5):
        assert (found <= alpha).mean() == pytest.approx(alpha, abs=0.02)


def test_the_proven_limit_is_above_twice_the_level():
    assert worst_false_alarm_rate(0.05, 60, 60) == 0.1  # leave-one-out, the jackknife+
    assert worst_false_alarm_rate(0.05, 60, 3) == pytest.approx(0.1 + (4 / 3) / 21)
    assert worst_false_alarm_rate(0.6, 60, 3) == 1
    assert worst_false_alarm_rate(0.05, 0, 3) == 1
