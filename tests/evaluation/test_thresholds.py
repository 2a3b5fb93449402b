import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.evaluation.metrics import f1_max
from bearing_search.evaluation.thresholds import threshold_of_best_f1


@pytest.mark.parametrize(
    ("scores", "labels", "threshold"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], 2.5),
        ([4, 1, 3, 2], [1, 0, 1, 0], 2.5),
        ([1, 2, 3, 4], [1, 0, 0, 1], 3.5),  # 2/3 there and at 1: the highest raises no alarm
        ([1, 2, 2, 4], [0, 0, 1, 1], 1.5),  # equal scores go together: 4/5 beats 2/3
        ([3, 2, 2, 1], [1, 1, 0, 0], 1.5),  # never at a score, though one of the two would do
        ([1, 2], [1, 1], 1.0),  # nothing lies below
    ],
)
def test_thresholds_lie_between_the_scores_that_they_separate(scores, labels, threshold):
    found = threshold_of_best_f1(np.array(scores, dtype=float), np.array(labels, dtype=bool))
    assert found == threshold


def test_without_anomalous_scores_there_is_none():
    assert np.isnan(threshold_of_best_f1(np.arange(3.0), np.zeros(3, dtype=bool)))


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=30))
def test_the_threshold_reaches_the_best_f1(pairs):
    scores = np.array([float(score) for score, _ in pairs])
    labels = np.array([label for _, label in pairs])
    if not labels.any():
        return
    flagged = scores >= threshold_of_best_f1(scores, labels)
    f1 = 2 * (flagged & labels).sum() / (flagged.sum() + labels.sum())
    assert f1 == pytest.approx(f1_max(scores, labels))
