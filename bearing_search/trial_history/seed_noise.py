"""What the seed alone does to a score."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from bearing_search.trial_history.best import runs_of_settings
from bearing_search.trial_history.records import TrialRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedNoise:
    """How much the objective of one setting moves from seed to seed."""

    settings: int
    """How many were run under several seeds."""

    runs: int
    """Their runs, together."""

    deviation: float
    """Standard deviation within a setting, pooled over them; in units of the objective."""

    smallest_gain: float
    """A difference of two single runs below this is within the noise."""

    @property
    def text(self) -> str:
        """What follows, in a sentence."""
        found = f"{self.runs} runs of {self.settings} setting{'s' * (self.settings > 1)}"
        if self.smallest_gain >= 1:
            return f"Which gains are more than seed noise cannot be told from {found}; audit more."
        return (
            f"Between two single runs, gains below {self.smallest_gain:.3f} are within seed noise "
            f"({found})."
        )


def seed_noise(trials: Sequence[TrialRecord]) -> SeedNoise | None:
    """The noise that an audit and finalists show; None where no setting was run twice.

    The smallest gain worth believing between two settings of one run each is t * sqrt(2) * s: half
    a 95 % interval of such a difference. t is Student's quantile, not 1.96: with an audit of three
    seeds s is itself so uncertain that 4.3 is the honest factor. It does not allow for the best of
    many being the luckiest of them; finalists do.
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
        NaN and 1 where no group has two values.
    """
    repeated = [np.array(values) for values in groups if len(values) > 1]
    freedom = sum(len(values) - 1 for values in repeated)
    if not freedom:
        return math.nan, 1
    squares = sum(((values - values.mean()) ** 2).sum() for values in repeated)
    return math.sqrt(squares / freedom), freedom
