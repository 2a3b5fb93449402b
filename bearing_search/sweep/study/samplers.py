"""Optuna's samplers and pruners by name, and what each of them needs."""

import warnings
from importlib.util import find_spec

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, WilcoxonPruner
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler

from bearing_search.errors import ConfigError, ResourceError
from bearing_search.measurement import (
    FINISHED_FOLDS,
    FOLD_OBJECTIVE,
    RUNNING_OBJECTIVE,
    Measurement,
)
from bearing_search.search_space.parameters import FloatParameter, IntParameter
from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.record.sweep_record import PrunerName, SamplerName, SweepRecord
from bearing_search.sweep.study.cost_aware_tpe import Rank, ThriftyTPE

NSGA_POPULATION = 12
"""Trials of one generation; Optuna's 50 would be nearly all of a sweep of 60 trials."""

WILCOXON_FOLDS = 5
"""Folds from which on the signed-rank test can decide: 4 finished ones give p = 1/16 at the least,
3 give 1/8, which is above its threshold of .1; the last fold is over when all is."""

_NEEDS = {
    "gp": ("torch", "pip install torch"),
    "cma-es": ("cmaes", "pip install 'cmaes>=0.12'"),
}


def make_sampler(name: SamplerName, seed: int, space: SearchSpace, rank: Rank) -> BaseSampler:
    """Who draws settings. A grid's points are enqueued, so that its sampler is never asked.

    Where some parameters are varied under conditions, TPE keeps a model of each group of parameters
    that are varied together. The others draw such parameters evenly and learn from the rest.

    Args:
        rank: which of equal candidates TPE prefers; the others do not show theirs.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match name:
            case "tpe":
                return ThriftyTPE(rank, space, seed=seed, group=bool(space.conditions))
            case "gp":
                return GPSampler(seed=seed)
            case "cma-es":
                return CmaEsSampler(seed=seed, warn_independent_sampling=False)
            case "nsga-ii":
                return NSGAIISampler(seed=seed, population_size=NSGA_POPULATION)
            case "random" | "grid":
                return optuna.samplers.RandomSampler(seed=seed)


def make_pruner(name: PrunerName) -> BasePruner:
    """Who decides, after each fold, whether a trial is worth going on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match name:
            case "none":
                return NopPruner()
            case "median":
                return MedianPruner(n_startup_trials=3)
            case "hyperband":
                # folds are few: with Optuna's factor of 3, three folds would be a single rung
                return HyperbandPruner(min_resource=1, reduction_factor=2)
            case "wilcoxon":
                return WilcoxonPruner(p_threshold=0.1)


def check_sampler(name: SamplerName, space: SearchSpace) -> None:
    """Refuse a sampler that cannot work here.

    Raises:
        ResourceError: the package that it needs is not installed.
        ConfigError: it cannot draw along the parameters of the space.
    """
    package, command = _NEEDS.get(name, ("", ""))
    if package and find_spec(package) is None:
        raise ResourceError(f"the sampler {name} needs the package {package}: {command}")
    numeric = [
        path
        for path, parameter in space.parameters.items()
        if isinstance(parameter, IntParameter | FloatParameter) and path not in space.conditions
    ]
    if name == "cma-es" and len(numeric) < 2:
        raise ConfigError(
            f"the sampler cma-es draws int, float and log parameters without conditions together, "
            f"at least two; the space has {len(numeric)}, the others are drawn at random. Use tpe"
        )


def check_pruner(name: PrunerName, folds: int) -> None:
    """Refuse a pruner that could never decide.

    Args:
        name: of the pruner.
        folds: of the part that has the most.

    Raises:
        ConfigError: there are too few folds.
    """
    if name == "wilcoxon" and folds < WILCOXON_FOLDS:
        raise ConfigError(
            f"the pruner wilcoxon can decide after {WILCOXON_FOLDS - 1} folds at the earliest, and "
            f"a trial has {folds}: it would never prune. Use --folds {WILCOXON_FOLDS} or more, or "
            "median"
        )


def intermediate_value(measurement: Measurement, record: SweepRecord) -> tuple[float, int] | None:
    """How the last fold went, and which it was; None where no fold but the last has finished.

    The Wilcoxon test pairs folds with those of the best trial, so it is told each fold's own score;
    the others compare running means.
    """
    values = measurement.values
    told = FOLD_OBJECTIVE if record.pruner == "wilcoxon" else RUNNING_OBJECTIVE
    if told not in values or record.objective in values:
        return None
    return values[told], int(values[FINISHED_FOLDS])
