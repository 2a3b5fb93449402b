"""Thresholds from new normal pictures, without a network."""

import numpy as np

from bearing_search.export.refit import _limit as limit_of
from bearing_search.export.refit import false_alarms


def test_the_threshold_keeps_a_distance_that_rounding_cannot_cross():
    scores = np.arange(30.0)
    assert limit_of(scores, 0.01) == 29.02  # 5 % of 31 may lie above: none of 30 does
    assert limit_of(np.arange(100.0), 0.01) == 95.5
    assert limit_of(np.arange(18.0), 0.01) is None


def test_false_alarms_are_counted_on_pictures_that_did_not_set_the_threshold():
    scores = np.arange(30.0)
    assert false_alarms(scores, 0.01) == (1, 30)  # only the highest is above all others
    assert false_alarms(np.arange(20.0), 0.01) is None
    rng = np.random.default_rng(0)
    hits = [false_alarms(rng.normal(size=60), 0.0)[0] for _ in range(200)]
    assert 0.02 < np.mean(hits) / 60 < 0.06
