"""Differences between pictures of today and those of training, with intervals.

Axis letters: n samples of training, m pictures of today, k predictors.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import beta, betabinom, fisher_exact, norm, t

_EXACT = 20
"""Up to this many values on the smaller side, the rank test is exact; beyond it is normal."""

_MOST = 2000
"""Values that enter an interval of a shift; of more, evenly spaced ones of the sorted values."""

_FEWEST = 5
"""Values in the smaller of two groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """An estimate and its confidence interval; NaN where there are too few values."""

    value: float
    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether the interval lies on one side of a value; one that is not known does not."""
        return self.low > value or self.high < value


def scaled(bounds: Bounds, factor: float) -> Bounds:
    """The same in another unit."""
    return Bounds(value=factor * bounds.value, low=factor * bounds.low, high=factor * bounds.high)


def shift(
    before: Float[np.ndarray, " n"], now: Float[np.ndarray, " m"], confidence: float
) -> Bounds:
    """How much higher values are now: Hodges-Lehmann, with the interval of the rank sum test.

    Makes no assumption on the distribution but that both have the same form; a few outliers hardly
    move it.
    """
    before, now = _at_most(np.sort(before)), _at_most(np.sort(now))
    n, m = len(before), len(now)
    if not n or not m:
        return Bounds(value=math.nan, low=math.nan, high=math.nan)
    differences = np.subtract.outer(now, before).ravel()
    value = float(np.median(differences))
    outside = _ranks_outside(n, m, (1 - confidence) / 2)
    if outside < 1:
        return Bounds(value=value, low=math.nan, high=math.nan)
    ends = np.partition(differences, (outside - 1, n * m - outside))
    return Bounds(value=value, low=float(ends[outside - 1]), high=float(ends[n * m - outside]))


def adjusted_shift(
    before: Float[np.ndarray, "n k"], now: Float[np.ndarray, "m k"], confidence: float
) -> Bounds:
    """How much higher the last column is now, at equal values of the others.

    One slope for each of the others in training and today, by least squares; standard errors that
    allow for unequal scatter (HC3), Student's t.
    """
    rows = np.concatenate([before, now])
    is_now = np.repeat([0.0, 1.0], [len(before), len(now)])
    others = rows[:, :-1]
    spread = others.std(axis=0)
    others = (others - others.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    design = np.column_stack([is_now, np.ones(len(rows)), others])
    freedom = len(rows) - design.shape[1]
    nothing = Bounds(value=math.nan, low=math.nan, high=math.nan)
    if freedom < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return nothing
    inverse = np.linalg.inv(design.T @ design)
    slopes = inverse @ design.T @ rows[:, -1]
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    if leverage.max() > 1 - 1e-9:
        return nothing
    errors = (rows[:, -1] - design @ slopes) / (1 - leverage)
    covariance = inverse @ (design.T * errors**2) @ design @ inverse
    half = float(t.ppf((1 + confidence) / 2, freedom) * math.sqrt(covariance[0, 0]))
    value = float(slopes[0])
    return Bounds(value=value, low=value - half, high=value + half)


def rate(hits: int, trials: int, confidence: float) -> Bounds:
    """A share with its exact interval (Clopper and Pearson 1934)."""
    if not trials:
        return Bounds(value=math.nan, low=0.0, high=1.0)
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, trials - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, trials - hits)) if hits < trials else 1.0
    return Bounds(value=hits / trials, low=low, high=high)


def rates_differ(now: tuple[int, int], before: tuple[int, int], confidence: float) -> bool:
    """Whether two shares, each hits and trials, differ (Fisher's exact test, two-sided)."""
    rows = [[hits, trials - hits] for hits, trials in (now, before)]
    return bool(fisher_exact(rows).pvalue < 1 - confidence)


def too_many_beyond(beyond: int, num_now: int, num_before: int, confidence: float) -> bool:
    """Whether more pictures lie beyond the range of the training samples than chance puts there.

    Exact for any continuous distribution: of m new values, the number beyond the range of n has a
    beta-binomial distribution, 2 m / (n + 1) on average.
    """
    if num_before < 2 or not num_now:
        return False
    return bool(betabinom.sf(beyond - 1, num_now, 2, num_before - 1) < 1 - confidence)


def num_needed(num_before: int, confidence: float) -> int | None:
    """Pictures that locate a shift to one standard deviation; None: no number does.

    By the width of the interval of normally distributed values.
    """
    z = float(norm.ppf((1 + confidence) / 2))
    left = 1 / z**2 - 1 / num_before if num_before else -1.0
    return math.ceil(1 / left) if left > 0 else None


def two_groups(values: Float[np.ndarray, " m"]) -> tuple[int, float, float] | None:
    """Number in the upper of two groups, and the median of each; None: one group describes them.

    The split that minimises the squares within must explain 85 % of all squares (of normally
    distributed values it explains 64 %, of evenly distributed ones 75 %), with `_FEWEST` in each.
    """
    ordered = np.sort(values)
    count = len(ordered)
    total = float(((ordered - ordered.mean()) ** 2).sum()) if count else 0.0
    if count < 4 * _FEWEST or not total > 0:
        return None
    below = np.arange(_FEWEST, count - _FEWEST + 1)
    sums = np.cumsum(ordered)
    means = sums[below - 1] / below, (sums[-1] - sums[below - 1]) / (count - below)
    explained = below * (count - below) / count * (means[1] - means[0]) ** 2 / total
    best = int(explained.argmax())
    if explained[best] < 0.85:
        return None
    cut = int(below[best])
    return count - cut, float(np.median(ordered[:cut])), float(np.median(ordered[cut:]))


def _at_most(ordered: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    count = len(ordered)
    return ordered if count <= _MOST else ordered[(np.arange(_MOST) * count) // _MOST]


def _ranks_outside(n: int, m: int, tail: float) -> int:
    """Differences that lie beyond each end of the interval; 0: there are too few values."""
    if min(n, m) > _EXACT:
        spread = math.sqrt(n * m * (n + m + 1) / 12)
        return max(0, math.floor(n * m / 2 + float(norm.ppf(tail)) * spread))
    ways = _rank_sums(min(n, m), max(n, m))
    limit, total, found = tail * (1 + 1e-9) * math.comb(n + m, n), 0, 0
    for number, count in enumerate(ways):
        total += count
        if total > limit:
            break
        found = number + 1
    return found


def _rank_sums(few: int, many: int) -> list[int]:
    """Ways in which the rank sum statistic is 0, 1, ..., half of its range (Mann and Whitney)."""
    size = few * many // 2 + 1
    ways = [1] + [0] * (size - 1)
    for number in range(1, few + 1):  # a Gaussian binomial, factor by factor
        step = many + number
        for index in range(size - 1, step - 1, -1):
            ways[index] -= ways[index - step]
        for index in range(number, size):
            ways[index] += ways[index - number]
    return ways
