"""Bands between OK and NG whose groups people inspect again, as many as they can.

Axis letters: c candidates.
"""

import math

import numpy as np

from bearing_search.analysis.contracts.contract import Contract
from bearing_search.analysis.contracts.settings import Levels, Setting, candidates, setting_at
from bearing_search.analysis.contracts.views import GroupScores
from bearing_search.analysis.operating.thresholds import threshold_above, threshold_below


def most_in_band(groups: GroupScores, share: float) -> int:
    """How many of the normal groups people can inspect again."""
    return math.floor(share * len(groups.normal) + 1e-9)


def with_band(groups: GroupScores, anchor: float, contract: Contract, levels: Levels) -> Setting:
    """A setting whose promised side keeps its threshold, with the widest band on the other.

    A promise about misses, or costs: the anchor is where OK ends, and NG begins higher. A promise
    about overkill: the anchor is where NG begins, and OK ends lower.
    """
    low, high = anchor, anchor
    if contract.reinspect:
        most = most_in_band(groups, contract.reinspect)
        if contract.max_overkill is None:
            high = _ng_from(groups, anchor, most)
        else:
            low = _reinspect_from(groups, anchor, most)
    return setting_at(groups, high, reinspect_from=low, levels=levels)


def cheapest(groups: GroupScores, contract: Contract, share: float, levels: Levels) -> Setting:
    """The setting of the lowest expected cost; of equal ones the tightest.

    Groups in the band cost nothing: people judge them right.

    Args:
        share: share of defective groups in production.
    """
    costs = contract.costs
    assert costs is not None
    steps = candidates(groups)
    missed = np.searchsorted(groups.anomalous, steps)  # below each step
    passed = np.searchsorted(groups.normal, steps)
    if contract.reinspect:
        most = most_in_band(groups, contract.reinspect)
        widest = passed[np.searchsorted(passed, passed + most, side="right") - 1]
        ends = np.maximum(np.searchsorted(passed, widest), np.arange(len(steps)))
    else:
        ends = np.arange(len(steps))
    overkill = 1 - passed[ends] / len(groups.normal)
    expected = (
        share * costs.miss * missed / len(groups.anomalous)
        + (1 - share) * costs.overkill * overkill
    )
    best = int(np.argmin(np.round(expected, 12)))
    return setting_at(
        groups, float(steps[ends[best]]), reinspect_from=float(steps[best]), levels=levels
    )


def _ng_from(groups: GroupScores, low: float, most: int) -> float:
    """The lowest threshold that leaves as many normal groups as allowed in the band above `low`."""
    above = groups.normal[groups.normal >= low]
    counts = np.searchsorted(above, above, side="right")  # ties stay together
    inside = above[counts <= most]
    return threshold_above(groups.pool, float(inside[-1])) if len(inside) else low


def _reinspect_from(groups: GroupScores, high: float, most: int) -> float:
    """The lowest threshold that leaves as many normal groups as allowed in the band to `high`."""
    below = groups.normal[groups.normal < high]
    counts = len(below) - np.searchsorted(below, below)
    outside = below[counts > most]
    if len(outside):
        return threshold_above(groups.pool, float(outside[-1]))
    return min(high, threshold_below(groups.pool, float(groups.scores.min())))
