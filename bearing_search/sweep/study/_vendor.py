"""Everything this package uses beyond Optuna's public API, as found in Optuna 5.0.0.

`tests/sweep/study/test_vendor.py` fails when another version differs.
"""

from collections.abc import Mapping
from typing import cast

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial


def storage_of(study: optuna.Study) -> BaseStorage:
    """The storage through which a study accesses its database, with a cache of finished trials.

    Private: `Study._storage`. The storage passed to `create_study` has no such cache.
    """
    return study._storage


def study_over(
    storage: object, name: str, *, sampler: BaseSampler, pruner: BasePruner
) -> optuna.Study:
    """A study on top of an object that merely behaves like a storage.

    Private: `load_study` accepts an object of any class, and samplers and pruners read trials
    through its `get_all_trials`.
    """
    return optuna.load_study(
        study_name=name, storage=cast(BaseStorage, storage), sampler=sampler, pruner=pruner
    )


def reopened(study: optuna.Study, trial: FrozenTrial) -> Trial:
    """A RUNNING trial of the storage as a live `Trial`, to suggest from and to tell.

    Private: `FrozenTrial._trial_id`, and constructing a `Trial` from a study and that id.
    """
    return Trial(study, trial._trial_id)


def reported_values(study: optuna.Study, trial: Trial) -> Mapping[int, float]:
    """Step -> intermediate value of a trial, read from the storage.

    Private: `Study._storage` and `Trial._trial_id`; the trial itself caches what it read first.
    """
    values: Mapping[int, float] = study._storage.get_trial(trial._trial_id).intermediate_values
    return values
