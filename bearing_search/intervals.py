"""Intervals by resampling whole groups: what a metric could have been on another draw of parts.

Axis letters: n samples, k drawn samples.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A statistic and its percentile interval."""

    value: float
    """The statistic of the samples as they are."""

    low: float
    """NaN where there was nothing to resample: fewer than two groups, or a statistic that is
    undefined in every resample."""

    high: float
    level: float
    """Share of the resamples' statistics that lie inside, in (0, 1)."""

    resamples: int
    undefined: int
    """Resamples whose statistic was NaN; the interval is that of the others."""


def cluster_bootstrap(
    groups: Sequence[str],
    statistic: Callable[[Int[np.ndarray, " k"]], Mapping[str, float]],
    *,
    strata: Sequence[Hashable] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile intervals of statistics, drawing groups with replacement.

    Samples of one group are drawn together, since views of one part are no independent evidence.
    To compare two models, let the statistic be the difference of their metrics on the same samples.

    Args:
        groups: the physical thing of each sample.
        statistic: named values of drawn samples, given by position; repeated ones count repeatedly.
        strata: something that every resample must hold as often as the samples do, such as
            their labels; groups are drawn among those with the same mixture of it. None: no strata.
        resamples: how many draws.
        level: of the interval, in (0, 1).
        seed: of the draws.

    Percentile intervals (Efron and Tibshirani 1993, chapter 13) of few groups are too narrow.
    """
    value = statistic(np.arange(len(groups)))
    draws = [statistic(drawn) for drawn in _draws(groups, strata, resamples, seed)]
    return {name: _interval(value[name], [draw[name] for draw in draws], level) for name in value}


def _draws(
    groups: Sequence[str], strata: Sequence[Hashable] | None, resamples: int, seed: int
) -> Iterator[Int[np.ndarray, " k"]]:
    members: dict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    if len(members) < 2:
        return
    mixtures: dict[Hashable, list[Int[np.ndarray, " k"]]] = defaultdict(list)
    for indices in members.values():
        mixture = frozenset(strata[index] for index in indices) if strata is not None else None
        mixtures[mixture].append(np.array(indices))
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.concatenate(
            [
                alike[choice]
                for alike in mixtures.values()
                for choice in generator.integers(len(alike), size=len(alike))
            ]
        )


def _interval(value: float, draws: Sequence[float], level: float) -> Interval:
    defined = [draw for draw in draws if not math.isnan(draw)]
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail]) if defined else (math.nan, math.nan)
    return Interval(
        value=value,
        low=float(low),
        high=float(high),
        level=level,
        resamples=len(draws),
        undefined=len(draws) - len(defined),
    )
