"""Rates of samples, with intervals that hold although samples of one group resemble each other.

Axis letters: n samples.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool
from scipy.stats import t

from bearing_search.analysis.intervals import LEVEL, Interval, rate_interval


def grouped_rate(is_hit: Bool[np.ndarray, " n"], groups: Sequence[str]) -> Interval:
    """Rate of hits among samples, in [0, 1]; groups do not move the rate, they widen its interval.

    Exact (Clopper and Pearson 1934) if every group is one sample. Otherwise the same with the
    effective number of samples (Korn and Graubard 1998): what the spread between the groups says,
    less what so few groups leave unknown, but no less than if all samples of a group were alike,
    and no more than there are samples. Without a hit, or without a miss, the groups say nothing
    about their spread: each counts as a single observation.

    Args:
        is_hit: of each sample.
        groups: name of each sample's group.
    """
    _, member, sizes = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    count, hits = len(is_hit), int(is_hit.sum())
    if len(sizes) == count:
        return rate_interval(hits, count)
    rate = hits / count
    if hits in (0, count):
        return rate_interval(rate * len(sizes), len(sizes))
    effective = _effective_count(is_hit, member, sizes)
    return replace(rate_interval(rate * effective, effective), value=rate)


def _effective_count(
    is_hit: Bool[np.ndarray, " n"], member: np.ndarray, sizes: np.ndarray
) -> float:
    """Number of independent samples that would give the rate as precisely as these."""
    count, groups = len(is_hit), len(sizes)
    fewest = float(count**2 / (sizes**2).sum())  # samples of a group all alike
    if groups == 1:
        return fewest
    rate = is_hit.mean()
    excess = np.bincount(member, weights=is_hit) - rate * sizes
    variance = groups / (groups - 1) * (excess**2).sum() / count**2
    if variance == 0:
        return float(count)
    half = (1 + LEVEL) / 2
    unknown = (t.ppf(half, count - 1) / t.ppf(half, groups - 1)) ** 2
    return float(np.clip(rate * (1 - rate) / variance * unknown, fewest, count))
