"""Optuna's samplers and pruners by name."""

import optuna


def pruner_of(name: str) -> optuna.pruners.BasePruner:
    """Who decides, after each fold, whether a trial is worth going on."""
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=3)
    return optuna.pruners.NopPruner()
