"""Confidence intervals of metrics, from the influence of each group of samples.

A group is a physical part. Its views are not independent observations, so each group counts once.
Every method here was chosen by its measured coverage (`benchmarks/selection.py`,
docs/selection.md).

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
"""Confidence level of every reported interval."""

_INSIDE = 1e-6
"""Minimum distance from 0 and 1 to which values are clipped before the logit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A statistic and its confidence interval."""

    value: float
    """Point estimate, from all samples."""

    low: float
    """Lower bound; NaN if there are too few groups for an interval."""

    high: float
    level: float
    """Confidence level, in (0, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """The metrics of one part, and the influence of each group of samples on them."""

    metrics: tuple[str, ...]
    """Names, in the order of the arrays' metric axis."""

    values: Float[np.ndarray, " m"]
    floors: Float[np.ndarray, " m"]
    """Metrics of a constant score for all samples and pixels."""

    anomalous: tuple[str, ...]
    """Names of the groups with an anomalous sample."""

    normal: tuple[str, ...]
    """Names of those with a normal sample; the influence of one with both is in `of_anomalous`."""

    of_anomalous: Float[np.ndarray, "a m"]
    """Change of each metric due to each group, compared with leaving it out; sums to about 0."""

    of_normal: Float[np.ndarray, "b m"]

    def column(self, metric: str) -> int:
        """Column of a metric in the arrays."""
        return self.metrics.index(metric)

    def value_of(self, metric: str) -> float:
        """Value of a metric on all samples."""
        value: float = self.values[self.column(metric)]
        return value

    def floor_of(self, metric: str) -> float:
        """Value of a metric for a constant score."""
        floor: float = self.floors[self.column(metric)]
        return floor

    def shifts_of(self, metric: str) -> tuple[Float[np.ndarray, " a"], Float[np.ndarray, " b"]]:
        """Influence of each anomalous and of each normal group on a metric."""
        column = self.column(metric)
        return self.of_anomalous[:, column], self.of_normal[:, column]


def metric_interval(
    parts: Sequence[Influence],
    metric: str,
    *,
    seed_variance: float = 0.0,
    seed_freedom: int = 1,
) -> Interval:
    """Confidence interval of the mean of a metric over parts.

    Student's t interval on the logit scale, since metrics lie in [0, 1]. A few defects that were
    all found say little about the next one: each part is given one extra anomalous group, halfway
    between its value and chance, as Agresti and Coull (1998) do for rates.

    Args:
        parts: parts to average over; those in which the metric is undefined are left out.
        metric: name of the metric.
        seed_variance: variance of the value due to training under other seeds.
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
    """Confidence interval of the difference `ours` minus `theirs` of a metric's mean over parts.

    Student's t interval, paired by group. Here too, each part is given one extra anomalous group;
    in it the two differ by a quarter of the distance between their values and chance, in favour of
    neither.

    Args:
        ours, theirs: the same parts in the same order.
        metric: name of the metric.
        seed_variance, seed_freedom: as in `metric_interval`, of the difference.
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
    """Influence of each anomalous and of each normal group on the difference `one` minus `other`.

    A group that only one of them could score (no region of interest) has no influence on the other.
    """
    of_anomalous, of_normal = one.shifts_of(metric)
    others_anomalous, others_normal = other.shifts_of(metric)
    return (
        _paired(one.anomalous, of_anomalous, other.anomalous, others_anomalous),
        _paired(one.normal, of_normal, other.normal, others_normal),
    )


def rate_interval(hits: float, trials: float) -> Interval:
    """Rate of hits with its exact confidence interval (Clopper and Pearson 1934).

    Raises:
        ValueError: `hits` outside [0, `trials`].
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} of {trials} is not a rate")
    if trials == 0:
        return _unknown(math.nan)
    tail = (1 - LEVEL) / 2
    low = float(beta.ppf(tail, hits, trials - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, trials - hits)) if hits < trials else 1.0
    return Interval(value=hits / trials, low=low, high=high, level=LEVEL)


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
    """Variance components of a part's metric, each with its degrees of freedom.

    Args:
        of_anomalous, of_normal: influence of each group.
        distance: distance of the extra anomalous group from the others' mean.
        weight: weight of the part in the mean over parts.
    """
    seen, normal = len(of_anomalous), len(of_normal)
    if seen == 0 or normal == 1:
        return [(math.nan, 1)]
    spread = seen**2 * (of_anomalous**2).sum() + distance**2 * seen / (seen + 1)
    scatter = (of_normal**2).sum() * normal / (normal - 1) if normal else 0.0
    return [
        (float(weight**2 * spread / (seen * (seen + 1))), seen),
        (float(weight**2 * scatter), normal - 1),
    ]


def _half_width(terms: Sequence[tuple[float, int]]) -> float:
    """Student's t quantile times the standard error; degrees of freedom by Satterthwaite (1946).

    Args:
        terms: variance components to add up, each with its degrees of freedom.
    """
    total = sum(variance for variance, _ in terms)
    if not total > 0:
        return total  # 0, or NaN
    # fractions of the total: the square of a variance of 1e-254 would be 0
    freedom = 1 / sum((v / total) ** 2 / max(free, 1) for v, free in terms)
    return float(t.ppf((1 + LEVEL) / 2, freedom) * math.sqrt(total))


def _unknown(value: float) -> Interval:
    return Interval(value=value, low=math.nan, high=math.nan, level=LEVEL)
