"""The table of pruners: how each one is built and what it compares."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bearing_search.errors import ConfigError
from bearing_search.measurement import (
    FINISHED_FOLDS,
    Measurement,
    fold_objective,
    running_objective,
)
from bearing_search.sweep.record.sweep_record import SweepRecord

if TYPE_CHECKING:
    import optuna

WILCOXON_FOLDS = 5
"""Minimum number of folds for the signed-rank test to prune: p is at least 1/16 with 4 finished
folds and 1/8, above the threshold of .1, with 3; after the last fold there is nothing to prune."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunerSpec:
    """An entry of `PRUNERS`; the pruner is consulted after every finished fold but the last."""

    build: Callable[[], "optuna.pruners.BasePruner"]
    """Builds the pruner; called once per session."""

    prunes: bool = True
    """Whether it ever prunes a trial."""

    min_folds: int = 0
    """Minimum number of folds per trial, below which it could never prune."""

    pairs_folds: bool = False
    """Whether it receives the score of each fold, to be paired with those of the best trial,
    instead of the mean so far."""


def _none() -> "optuna.pruners.BasePruner":
    from optuna.pruners import NopPruner

    return NopPruner()


def _median() -> "optuna.pruners.BasePruner":
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=3)


def _hyperband() -> "optuna.pruners.BasePruner":
    from optuna.pruners import HyperbandPruner

    # with Optuna's default factor of 3, three folds would be a single rung
    return HyperbandPruner(min_resource=1, reduction_factor=2)


def _wilcoxon() -> "optuna.pruners.BasePruner":
    from optuna.pruners import WilcoxonPruner

    return WilcoxonPruner(p_threshold=0.1)


PRUNERS: dict[str, PrunerSpec] = {
    "none": PrunerSpec(build=_none, prunes=False),
    "median": PrunerSpec(build=_median),
    "hyperband": PrunerSpec(build=_hyperband),
    "wilcoxon": PrunerSpec(build=_wilcoxon, min_folds=WILCOXON_FOLDS, pairs_folds=True),
}
"""Pruners by their name in `--pruner` and sweep.json, in the order of the command's help."""


def pruner_spec(name: str) -> PrunerSpec:
    """The entry of a pruner.

    Raises:
        ConfigError: there is no pruner of that name.
    """
    if name not in PRUNERS:
        raise ConfigError(
            f"unknown pruner {name!r}; choose one of {', '.join(PRUNERS)}, or first import the "
            "module that adds it to PRUNERS"
        )
    return PRUNERS[name]


def pruner_of(name: str) -> "optuna.pruners.BasePruner":
    """Build the pruner for one session.

    Raises:
        ConfigError: there is no pruner of that name.
    """
    spec = pruner_spec(name)
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return spec.build()


def check_pruner(name: str, folds: int) -> None:
    """Refuse a pruner that could never prune.

    Args:
        name: name of the pruner.
        folds: largest number of folds of any part.

    Raises:
        ConfigError: there is no pruner of that name, or there are too few folds.
    """
    least = pruner_spec(name).min_folds
    if folds < least:
        raise ConfigError(
            f"the pruner {name} can prune after {least - 1} folds at the earliest, but a trial has "
            f"only {folds}. Use --folds {least} or more, or the pruner median"
        )


def told_to_pruner(measurement: Measurement, record: SweepRecord) -> tuple[float, int] | None:
    """Value and step to report to the pruner; None unless a fold but not the last has finished."""
    values = measurement.values
    pairs_folds = pruner_spec(record.pruner).pairs_folds
    told = (fold_objective if pairs_folds else running_objective)(record.objective)
    if told not in values or record.objective in values:
        return None
    return values[told], int(values[FINISHED_FOLDS])
