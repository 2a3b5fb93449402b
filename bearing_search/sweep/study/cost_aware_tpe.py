"""Of settings that it expects the same of, TPE draws the one that costs least.

TPE draws 24 candidates and takes the one with the highest expected improvement. That is estimated
from a few dozen trials, so candidates that come within a thousandth of the highest are equal. Among
them one is preferred that shares what other trials have made.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from optuna.samplers import TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.study.param_encoding import distributions_of

TOLERANCE = 0.001
"""Expected improvements that differ by no more than this share of the highest count as equal.
Chosen by `benchmarks/thrift.py`; see results/LOG.md."""

GOOD_SHARE, MOST_GOOD = 0.1, 25
"""Share of finished trials that TPE takes for good, and how many at the most: Optuna's default."""

Rank = Callable[[Mapping[str, Any]], int | None]
"""Of a candidate's own names and values; lower is preferred, None: it cannot be told."""


class ThriftyTPE(TPESampler):
    """Optuna's TPE, with a preference among equals.

    Args:
        rank: of a candidate.
        space: whose parameters are drawn.
        options: of Optuna's sampler.
    """

    def __init__(self, rank: Rank, space: SearchSpace, **options: Any) -> None:
        super().__init__(**options)
        self._rank = rank
        self._distributions = distributions_of(space)
        self._good_share = GOOD_SHARE

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """As Optuna's; takes note of how many trials are finished."""
        super().before_trial(study, trial)
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        finished = len(study.get_trials(deepcopy=False, states=states))
        self._good_share = min(GOOD_SHARE, MOST_GOOD / max(1, finished))

    def _compute_acquisition_func(
        self, samples: dict[str, np.ndarray], mpe_below: Any, mpe_above: Any
    ) -> np.ndarray:
        """As Optuna's, which takes the highest; raised for the one that is preferred.

        Optuna's own hook, if not a public one: a test notices when it is no longer asked.
        """
        gains: np.ndarray = super()._compute_acquisition_func(samples, mpe_below, mpe_above)
        equals: list[int] = np.flatnonzero(
            improvements(gains, self._good_share) >= 1 - TOLERANCE
        ).tolist()
        ranks = [self._rank(self._candidate(samples, index)) for index in equals]
        if None in ranks or len(set(ranks)) < 2:
            return gains
        lowest = min(rank for rank in ranks if rank is not None)
        preferred = [i for i, rank in zip(equals, ranks, strict=True) if rank == lowest]
        chosen = max(preferred, key=lambda index: gains[index])
        raised = gains.copy()
        raised[chosen] = np.inf
        return raised

    def _candidate(self, samples: Mapping[str, np.ndarray], index: int) -> dict[str, Any]:
        return {
            name: self._distributions[name].to_external_repr(values[index].item())
            for name, values in samples.items()
        }


def improvements(gains: np.ndarray, good_share: float) -> np.ndarray:
    """Expected improvements as shares of the highest.

    Args:
        gains: log l - log g of each candidate.
        good_share: gamma, the share of trials that l is made of.

    Source: Bergstra et al. 2011, section 4.1: proportional to 1 / (gamma + (1 - gamma) g / l).
    """
    inverse = good_share + (1 - good_share) * np.exp(np.minimum(-gains, math.log(1e300)))
    shares: np.ndarray = inverse.min() / inverse
    return shares
