"""Hides trials from samplers and pruners: runs under other seeds, and copied results.

A sampler treats every trial as one that it suggested. Five runs of the base would pull it towards
the base five times, whatever they scored; a copy would count the same score twice. These trials
stay in the study, for the ledger and for users; only what Optuna's samplers and pruners read is
filtered.
"""

from typing import Any

from optuna.trial import FrozenTrial, TrialState


class FilteredStorage:
    """A storage without those trials; everything else is delegated to the wrapped storage.

    Args:
        storage: the Optuna storage to wrap.
    """

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_all_trials(self, *arguments: Any, **options: Any) -> list[FrozenTrial]:
        """Like the storage's public method, through which samplers and pruners read trials."""
        found: list[FrozenTrial] = self._storage.get_all_trials(*arguments, **options)
        return [trial for trial in found if not _is_hidden(trial)]


def _is_hidden(trial: FrozenTrial) -> bool:
    if trial.state == TrialState.WAITING:
        return False  # or `ask` would not find enqueued trials
    is_seed_run = trial.user_attrs.get("purpose") in ("audit", "finalist")
    return is_seed_run or "same_as" in trial.user_attrs
