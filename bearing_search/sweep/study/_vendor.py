"""All that this package uses of Optuna beyond its public API; each seen in Optuna 5.0.0.

`tests/sweep/study/test_vendor.py` says when another version differs.
"""

from collections.abc import Mapping
from typing import cast

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial


def storage_of(study: optuna.Study) -> BaseStorage:
    """The storage that a study reads and writes, which caches finished trials of a database.

    Private: `Study._storage`. The storage that a study was made with has no such cache.
    """
    return study._storage


def study_over(
    storage: object, name: str, *, sampler: BaseSampler, pruner: BasePruner
) -> optuna.Study:
    """A study that reads and writes through something that only behaves as a storage.

    Private: that `load_study` takes an object of another class as it is, and that samplers and
    pruners read trials by `get_all_trials` of it.
    """
    return optuna.load_study(
        study_name=name, storage=cast(BaseStorage, storage), sampler=sampler, pruner=pruner
    )


def reopened(study: optuna.Study, trial: FrozenTrial) -> Trial:
    """A trial that is RUNNING in the storage, to suggest from and to tell again.

    Private: `FrozenTrial._trial_id`, and that `Trial` is made from a study and that id.
    """
    return Trial(study, trial._trial_id)


def reported_values(study: optuna.Study, trial: Trial) -> Mapping[int, float]:
    """Intermediate values of a trial as the storage has them now, by step.

    Private: `Study._storage` and `Trial._trial_id`; the trial itself keeps what it read first.
    """
    values: Mapping[int, float] = study._storage.get_trial(trial._trial_id).intermediate_values
    return values
