"""The table of pruners: by name, how each is built and what it compares."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bearing_search.errors import ConfigError
from bearing_search.measurement import (
    FINISHED_FOLDS,
    FOLD_OBJECTIVE,
    RUNNING_OBJECTIVE,
    Measurement,
)
from bearing_search.sweep.record.sweep_record import SweepRecord

if TYPE_CHECKING:
    import optuna

WILCOXON_FOLDS = 5
"""Folds from which on the signed-rank test can decide: 4 finished ones give p = 1/16 at the least,
3 give 1/8, which is above its threshold of .1; the last fold is over when all is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunerSpec:
    """A pruner that `PRUNERS` names; it is asked after every finished fold but the last."""

    build: Callable[[], "optuna.pruners.BasePruner"]
    """Makes the pruner; called once per session."""

    prunes: bool = True
    """Whether it ever ends a trial."""

    min_folds: int = 0
    """Folds of a trial below which it could never decide."""

    pairs_folds: bool = False
    """Whether it is given the score of each fold, to pair with those of the best trial, instead of
    the mean so far."""


def _none() -> "optuna.pruners.BasePruner":
    from optuna.pruners import NopPruner

    return NopPruner()


def _median() -> "optuna.pruners.BasePruner":
    from optuna.pruners import MedianPruner

    return MedianPruner(n_startup_trials=3)


def _hyperband() -> "optuna.pruners.BasePruner":
    from optuna.pruners import HyperbandPruner

    # folds are few: with Optuna's factor of 3, three folds would be a single rung
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
"""By the name that `--pruner` and sweep.json have; in the order of the command's help."""


def pruner_spec(name: str) -> PrunerSpec:
    """The entry of a pruner.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in PRUNERS:
        raise ConfigError(
            f"the pruner {name!r} is none of {', '.join(PRUNERS)}; choose one of them, or import "
            "the module that adds it to PRUNERS first"
        )
    return PRUNERS[name]


def pruner_of(name: str) -> "optuna.pruners.BasePruner":
    """The pruner itself, built for one session.

    Raises:
        ConfigError: there is none of that name.
    """
    spec = pruner_spec(name)
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return spec.build()


def check_pruner(name: str, folds: int) -> None:
    """Refuse a pruner that could never decide.

    Args:
        name: of the pruner.
        folds: of the part that has the most.

    Raises:
        ConfigError: there is none of that name, or there are too few folds.
    """
    least = pruner_spec(name).min_folds
    if folds < least:
        raise ConfigError(
            f"the pruner {name} can decide after {least - 1} folds at the earliest, and a trial "
            f"has {folds}: it would never prune. Use --folds {least} or more, or median"
        )


def told_to_pruner(measurement: Measurement, record: SweepRecord) -> tuple[float, int] | None:
    """How the last fold went, and which it was; None where no fold but the last has finished."""
    values = measurement.values
    told = FOLD_OBJECTIVE if pruner_spec(record.pruner).pairs_folds else RUNNING_OBJECTIVE
    if told not in values or record.objective in values:
        return None
    return values[told], int(values[FINISHED_FOLDS])
