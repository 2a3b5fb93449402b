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

from bearing_search.axes import Axis, BundleAxis
from bearing_search.errors import ConfigError
from bearing_search.space import SearchSpace
from bearing_search.sweep.fates import Fates
from bearing_search.sweep.prefix import ENCODER_SECTIONS, prefix_of
from bearing_search.sweep.suggestions import decode, distributions_of, encode
from bearing_search.sweep.turns import Turns

TOLERANCE = 0.001
"""Expected improvements that differ by no more than this share of the highest count as equal.
Chosen by `benchmarks/thrift.py`; see results/LOG.md."""

GOOD_SHARE, MOST_GOOD = 0.1, 25
"""Share of finished trials that TPE takes for good, and how many at the most: Optuna's default."""

REPEAT = 10
"""Rank of a setting that was tried before: all others are preferred."""

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


class Thrift:
    """Ranks candidates by what of them need not be computed.

    Args:
        space: of the sweep.
        fates: of its configs; kept by the ledger.
        turns: of its configs.
    """

    def __init__(self, space: SearchSpace, fates: Fates, turns: Turns) -> None:
        self._space, self._fates, self._turns = space, fates, turns
        self._deciding = [path for path, axis in space.axes.items() if _moves_encoder(path, axis)]

    def rank(self, params: Mapping[str, Any]) -> int | None:
        """Of a candidate; None where it leaves out an axis that its encoder depends on.

        Axes that are varied under conditions are drawn group by group, so a candidate may hold only
        some of them. Those after the encoder do not matter here.
        """
        there = decode(self._space, params)
        if not all(path in there for path in self._deciding):
            return None
        try:
            whole = self._space.completed(there)
            config = self._space.trial(whole)
        except ConfigError:
            return None
        is_whole = encode(self._space, whole).keys() <= params.keys()
        if is_whole and self._fates.is_known(config.digest):
            return REPEAT
        return self._turns.rank(prefix_of(config))


def _moves_encoder(path: str, axis: Axis) -> bool:
    settings = axis.paths if isinstance(axis, BundleAxis) else [path]
    return any(setting.partition(".")[0] in ENCODER_SECTIONS for setting in settings)
