"""Words that several findings share."""

import math

import numpy as np

from bearing_search.drift_checks import statistics
from bearing_search.drift_checks.findings import PartComparison


def counted(number: int, total: int) -> str:
    """`3 of 40`."""
    return f"{number} of {total}"


def percent_change(value: float, less: str, more: str) -> str:
    """`12 % darker`."""
    return f"{100 * abs(value):.3g} % {less if value < 0 else more}"


def interval(bounds: statistics.Bounds, digits: int = 3) -> str:
    """`[-.1, .2]` with signs."""
    return f"[{bounds.low:+.{digits}g}, {bounds.high:+.{digits}g}]"


def narrower(part: PartComparison, num_before: int) -> str:
    """How many pictures would locate a change to one standard deviation of training."""
    needed = statistics.num_needed(num_before, part.confidence)
    if needed is None:
        return f"; training has only {num_before} samples to compare with, so more would not help"
    if needed <= len(part.now):
        return "; these pictures differ too much among each other"
    return f"; about {needed} pictures would tell"


def effect_on_scores(part: PartComparison) -> str:
    """Whether scores rise or fall as a whole, in one phrase."""
    before = np.array([one.score for one in part.scored_before], dtype=float)
    now = np.array([one.score for one in part.now if one.score is not None], dtype=float)
    limit = part.thresholds.ng
    if 2 * (now < limit).sum() >= len(now):  # a few defects are no effect of it
        before, now = before[before < limit], now[now < limit]
    found = statistics.shift(before, now, part.confidence)
    if math.isnan(found.low):
        return "what it does to scores cannot be told"
    if not found.excludes(0):
        return "no effect on scores is seen"
    verb = "rise" if found.value > 0 else "fall"
    return f"scores {verb} with it by {abs(found.value):.3g} {interval(found)}"
