"""Multiple comparisons with the best: which of many settings may be the best one.

Among 200 equivalent settings, the highest score stands out by chance. So a setting is called worse
only if its gap to another one is larger than the largest gap to any of them that chance would
produce. The truly best setting is among the tied ones with 95 % confidence (Hsu 1981). The
distribution of the largest gap comes from a multiplier bootstrap of the groups' influences, for all
settings at once (Chernozhukov, Chetverikov and Kato 2013). The variance is poorly estimated from a
handful of groups, so each draw is divided by a common chi variable, as in Student's t.

Among thousands of pairs, some have a small variance by chance and would stand out. So the variance
of a pair is moderated, as is done for genes (Smyth 2004): the mean of its own and the typical one.

Axis letters: c settings, g groups, d draws.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.analysis.intervals import LEVEL, Interval

_DRAWS = 2000
_EXACT = 1e-12
"""Variance up to which a difference is mere rounding: the two settings have the same scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Result of comparing settings with one another."""

    values: Float[np.ndarray, " c"]
    is_tied: Bool[np.ndarray, " c"]
    """Whether a setting is not shown to be worse than any candidate for the best."""

    error: Float[np.ndarray, "c c"]
    """Moderated standard error of the difference of each pair; 0 if their scores are equal."""

    critical: Float[np.ndarray, " c"]
    """Critical value of each setting's largest gap to any other, in standard errors."""

    def gain(self, setting: int, over: int) -> Interval:
        """Simultaneous confidence interval of the gain of `setting` over `over`."""
        value = float(self.values[setting] - self.values[over])
        half = float(self.critical[over] * self.error[setting, over])
        return Interval(value=value, low=value - half, high=value + half, level=LEVEL)


def compare_with_best(
    values: Float[np.ndarray, " c"],
    shifts: Float[np.ndarray, "g c"],
    seed_variance: Float[np.ndarray, " c"],
    *,
    may_be_best: Bool[np.ndarray, " c"] | None = None,
    draws: int = _DRAWS,
) -> Ranking:
    """Compare settings that were scored on the same groups.

    Args:
        values: objective of each setting.
        shifts: influence of each group on each objective, scaled so that their squares add up to
            its variance.
        seed_variance: variance of each objective due to training under another seed.
        may_be_best: candidates for the best, with which all are compared; None: all settings.
        draws: number of bootstrap draws.
    """
    generator = np.random.default_rng(0)
    covariance = shifts.T @ shifts + np.diag(seed_variance)
    own = np.diag(covariance)
    variance = own[:, None] + own[None] - 2 * covariance
    differs = variance > _EXACT
    typical = np.median(variance[differs]) if differs.any() else 0.0
    error = np.sqrt(np.where(differs, (variance + typical) / 2, 0.0))
    chance = generator.standard_normal((draws, len(shifts))) @ shifts
    chance += generator.standard_normal(chance.shape) * np.sqrt(seed_variance)
    freedom = max(len(shifts) - 2, 1)  # one mean each for normal and anomalous groups
    chance /= np.sqrt(generator.chisquare(freedom, (draws, 1)) / freedom)
    critical = np.zeros(len(values))
    is_tied = np.ones(len(values), dtype=bool)
    rivals = np.ones(len(values), dtype=bool) if may_be_best is None else may_be_best
    for one, others in enumerate(differs & rivals):
        if others.any():
            gaps = (chance[:, others] - chance[:, [one]]) / error[one, others]
            critical[one] = max(np.quantile(gaps.max(axis=1), LEVEL), 0.0)
            seen = (values[others] - values[one]) / error[one, others]
            is_tied[one] = seen.max() <= critical[one]
    return Ranking(values=values, is_tied=is_tied, error=error, critical=critical)
