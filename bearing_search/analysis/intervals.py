"""Intervals from how much each group moves a metric: what it could have been on other parts.

A group is a physical thing: its views are no independent evidence, so it counts once. Every method
here was chosen by its measured coverage (`benchmarks/selection.py`, docs/selection.md).

Axis letters: a anomalous groups, b normal groups, m metrics.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit
from scipy.stats import beta, t

LEVEL = 0.95
"""Of every interval that is reported."""

_INSIDE = 1e-6
"""How far from 0 and 1 a value is kept on the way to the logit scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A statistic and its interval."""

    value: float
    """The statistic of the samples as they are."""

    low: float
    """NaN where too few groups were seen to say anything."""

    high: float
    level: float
    """Share of such intervals that hold the truth, in (0, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """The metrics of one part, and what each group of samples adds to their uncertainty."""

    metrics: tuple[str, ...]
    """Their names, in the order of all arrays here."""

    values: Float[np.ndarray, " m"]
    floors: Float[np.ndarray, " m"]
    """What one and the same score for everything would reach."""

    anomalous: tuple[str, ...]
    """Names of the groups with an anomalous sample."""

    normal: tuple[str, ...]
    of_anomalous: Float[np.ndarray, "a m"]
    """Shift of each metric by each group, against a sample without it; they sum to about 0."""

    of_normal: Float[np.ndarray, "b m"]

    def column(self, metric: str) -> int:
        """Where a metric stands in the arrays."""
        return self.metrics.index(metric)

    def value_of(self, metric: str) -> float:
        """A metric of the samples as they are."""
        value: float = self.values[self.column(metric)]
        return value

    def floor_of(self, metric: str) -> float:
        """What one and the same score for everything would reach in a metric."""
        floor: float = self.floors[self.column(metric)]
        return floor

    def shifts_of(self, metric: str) -> tuple[Float[np.ndarray, " a"], Float[np.ndarray, " b"]]:
        """Shift of a metric by each anomalous and by each normal group."""
        column = self.column(metric)
        return self.of_anomalous[:, column], self.of_normal[:, column]


def metric_interval(
    parts: Sequence[Influence],
    metric: str,
    *,
    seed_variance: float = 0.0,
    seed_freedom: int = 1,
) -> Interval:
    """Interval of the mean of a metric over parts.

    Student's t on the logit scale, since the metrics live in [0, 1]. Few defects that were all
    found say little about the one that comes next: each part counts one anomalous group more than
    was seen, halfway between its value and chance, as Agresti and Coull (1998) do for rates.

    Args:
        parts: what the mean is over; a part in which the metric is undefined is left out.
        metric: its name.
        seed_variance: what training under other seeds adds to the variance of the value.
        seed_freedom: degrees of freedom of that estimate.
    """
    values = np.array([part.value_of(metric) for part in parts])
    counted = [part for part, value in zip(parts, values, strict=True) if not np.isnan(value)]
    if not counted:
        return _unknown(math.nan)
    value, weight = float(np.nanmean(values)), 1 / len(counted)
    centre, terms = value, [(seed_variance, seed_freedom)]
    for part in counted:
        pull = (part.value_of(metric) - part.floor_of(metric)) / 2
        terms += _terms(*part.shifts_of(metric), pull, weight)
        centre -= weight * pull / (len(part.anomalous) + 1)
    half = _half_width(terms)
    if math.isnan(half):
        return _unknown(value)
    centre = min(max(centre, _INSIDE), 1 - _INSIDE)
    step = half / (centre * (1 - centre))
    low, high = expit(logit(centre) - step), expit(logit(centre) + step)
    return Interval(
        value=value, low=min(float(low), value), high=max(float(high), value), level=LEVEL
    )


def difference_interval(
    ours: Sequence[Influence],
    theirs: Sequence[Influence],
    metric: str,
    *,
    seed_variance: float = 0.0,
    seed_freedom: int = 1,
) -> Interval:
    """Interval of a metric's mean over parts, `ours` minus `theirs`, paired group by group.

    Student's t. Here too each part counts one anomalous group more than was seen; the two differ in
    it by a quarter of what lies between their values and chance, in favour of neither.

    Args:
        ours, theirs: the same parts in the same order.
        metric: its name.
        seed_variance: what training under other seeds adds to the variance of the difference.
        seed_freedom: degrees of freedom of that estimate.
    """
    pairs = list(zip(ours, theirs, strict=True))
    values = np.array([one.value_of(metric) - other.value_of(metric) for one, other in pairs])
    if np.isnan(values).all():
        return _unknown(math.nan)
    defined = ~np.isnan(values)
    value, weight = float(values[defined].mean()), 1 / defined.sum()
    terms = [(seed_variance, seed_freedom)]
    for (one, other), is_defined in zip(pairs, defined, strict=True):
        if is_defined:
            reached = one.value_of(metric) + other.value_of(metric)
            height = (reached - one.floor_of(metric) - other.floor_of(metric)) / 2
            terms += _terms(*group_gains(one, other, metric), height / 4, weight)
    half = _half_width(terms)
    return Interval(value=value, low=value - half, high=value + half, level=LEVEL)


def group_gains(
    one: Influence, other: Influence, metric: str
) -> tuple[Float[np.ndarray, " a"], Float[np.ndarray, " b"]]:
    """How much more each group moves `one` than `other`: anomalous and normal groups.

    A group that only one of them could score (no region of interest) moves the other by nothing.
    """
    of_anomalous, of_normal = one.shifts_of(metric)
    others_anomalous, others_normal = other.shifts_of(metric)
    return (
        _paired(one.anomalous, of_anomalous, other.anomalous, others_anomalous),
        _paired(one.normal, of_normal, other.normal, others_normal),
    )


def rate_interval(hits: int, trials: int) -> Interval:
    """Share of hits with its exact interval (Clopper and Pearson 1934).

    Raises:
        ValueError: `hits` outside [0, `trials`].
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} of {trials} is no share")
    if trials == 0:
        return _unknown(math.nan)
    tail = (1 - LEVEL) / 2
    low = float(beta.ppf(tail, hits, trials - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, trials - hits)) if hits < trials else 1.0
    return Interval(value=hits / trials, low=low, high=high, level=LEVEL)


def largest_rate(trials: int) -> float:
    """Rate that not one hit in so many trials still allows: one-sided, 95 %."""
    return 1.0 - float((1 - LEVEL) ** (1 / trials)) if trials else 1.0


def trials_needed(rate: float) -> int:
    """How many trials without a hit show that the rate is at most `rate`: one-sided, 95 %."""
    return math.ceil(math.log(1 - LEVEL) / math.log(1 - rate))


def _paired(
    names: Sequence[str],
    shifts: Float[np.ndarray, " a"],
    other_names: Sequence[str],
    other_shifts: Float[np.ndarray, " b"],
) -> Float[np.ndarray, " c"]:
    gains = dict(zip(names, shifts, strict=True))
    for name, shift in zip(other_names, other_shifts, strict=True):
        gains[name] = gains.get(name, 0.0) - shift
    return np.array(list(gains.values()), dtype=float)


def _terms(
    of_anomalous: Float[np.ndarray, " a"],
    of_normal: Float[np.ndarray, " b"],
    distance: float,
    weight: float,
) -> list[tuple[float, int]]:
    """Variances of a part's metric, each with its degrees of freedom.

    Args:
        of_anomalous, of_normal: what each group adds.
        distance: of one more anomalous group from the others' mean.
        weight: of the part in the mean over parts.
    """
    seen, normal = len(of_anomalous), len(of_normal)
    if seen == 0 or normal == 1:
        return [(math.nan, 1)]
    spread = seen**2 * (of_anomalous**2).sum() + distance**2 * seen / (seen + 1)
    scatter = (of_normal**2).sum() * normal / (normal - 1) if normal else 0.0
    return [
        (float(weight**2 * spread / (seen * (seen + 1))), seen),
        (float(weight**2 * scatter), max(normal - 1, 1)),
    ]


def _half_width(terms: Sequence[tuple[float, int]]) -> float:
    """Student's t times the standard error, freedom by Satterthwaite (1946).

    Args:
        terms: variances that add up, each with its degrees of freedom.
    """
    total = sum(variance for variance, _ in terms)
    if not total > 0:
        return total  # 0, or NaN
    # Shares of the total: the square of a variance of 1e-254 is 0.
    freedom = 1 / sum((v / total) ** 2 / max(free, 1) for v, free in terms)
    return float(t.ppf((1 + LEVEL) / 2, freedom) * math.sqrt(total))


def _unknown(value: float) -> Interval:
    return Interval(value=value, low=math.nan, high=math.nan, level=LEVEL)
