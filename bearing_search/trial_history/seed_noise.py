"""Estimates how much a score varies with the seed alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from bearing_search.trial_history.best import runs_of_settings
from bearing_search.trial_history.records import TrialRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedNoise:
    """Variation of the objective between seeds of the same setting."""

    settings: int
    """Number of settings that were run under several seeds."""

    runs: int
    """Total number of their runs."""

    deviation: float
    """Standard deviation within a setting, pooled over settings; in units of the objective."""

    smallest_gain: float
    """Smallest difference between two single runs that exceeds the seed noise."""

    @property
    def text(self) -> str:
        """The conclusion in one sentence, for reports."""
        found = f"{self.runs} runs of {self.settings} setting{'s' * (self.settings > 1)}"
        if self.smallest_gain >= 1:
            return f"{found} are too few to tell gains from seed noise; audit more seeds."
        return (
            f"Between two single runs, gains below {self.smallest_gain:.3f} are within seed noise "
            f"({found})."
        )


def seed_noise(trials: Sequence[TrialRecord]) -> SeedNoise | None:
    """Seed noise estimated from audit and finalist runs; None if no setting was run twice.

    The smallest credible gain between two settings with one run each is t * sqrt(2) * s, the
    half-width of a 95 % interval of their difference. t is Student's quantile rather than 1.96:
    with an audit of three seeds, s is so uncertain that the right factor is 4.3. This does not
    correct for selecting the best of many trials, which favours lucky ones; finalists do.
    """
    groups = [
        [trial.value for trial in runs if trial.value is not None]
        for runs in runs_of_settings(trials).values()
        if len(runs) > 1
    ]
    if not groups:
        return None
    deviation, freedom = pooled_deviation(groups)
    return SeedNoise(
        settings=len(groups),
        runs=sum(map(len, groups)),
        deviation=deviation,
        smallest_gain=float(stdtrit(freedom, 0.975)) * math.sqrt(2) * deviation,
    )


def pooled_deviation(groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Standard deviation within groups, pooled over them, and its degrees of freedom.

    Returns:
        Both; NaN and 1 if no group has two values.
    """
    repeated = [np.array(values) for values in groups if len(values) > 1]
    freedom = sum(len(values) - 1 for values in repeated)
    if not freedom:
        return math.nan, 1
    squares = sum(((values - values.mean()) ** 2).sum() for values in repeated)
    return math.sqrt(squares / freedom), freedom
