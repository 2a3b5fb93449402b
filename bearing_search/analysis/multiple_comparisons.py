"""Which of many settings may be the best: multiple comparisons with the best.

Among 200 settings that are all alike, the highest score stands out by chance. So a setting is
called worse only where its gap to some other one is larger than the largest gap that chance would
open between it and any of them. Whichever setting is truly the best stays among the tied with 95 %
confidence (Hsu 1981); the law of the largest gap comes from a multiplier bootstrap of the groups'
influences, all settings at once (Chernozhukov, Chetverikov and Kato 2013). A handful of groups
knows its own scatter badly, so each draw is divided by a common chi, as in Student's t.

Among thousands of pairs some have a small scatter by luck, and would stand out. So the standard
error of a pair is moderated as for genes (Smyth 2004): half its own variance, half the typical one.

Axis letters: c settings, g groups, d draws.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.analysis.intervals import LEVEL, Interval

_DRAWS = 2000
_EXACT = 1e-12
"""Variance of a difference that is rounding only: the two have the same scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Settings compared with one another."""

    values: Float[np.ndarray, " c"]
    is_tied: Bool[np.ndarray, " c"]
    """Not shown to be worse than another one that may be best."""

    error: Float[np.ndarray, "c c"]
    """Standard error of the difference of each two, moderated; 0 where they score alike."""

    critical: Float[np.ndarray, " c"]
    """How many standard errors chance opens between each setting and any other, at most."""

    def gain(self, setting: int, over: int) -> Interval:
        """How much better one is than `over`; holds for all settings of the ranking at once."""
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
        values: of the objective.
        shifts: of each objective by each group, scaled so that their squares add up to its
            variance.
        seed_variance: of each objective, from training under another seed.
        may_be_best: settings that others are compared with; None: all.
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
    freedom = max(len(shifts) - 2, 1)  # a mean of the normal and one of the anomalous groups
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
