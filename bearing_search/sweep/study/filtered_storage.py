"""What a sampler must not see: runs of one setting under other seeds, and copies.

A sampler takes every trial for a draw of its own. Five runs of the base would be five reasons to
look near it, whatever they scored; a copy would tell it a score a second time. The trials stay in
the study, for the ledger and for people; the filter is on what Optuna's own parts read.
"""

from typing import Any

from optuna.trial import FrozenTrial, TrialState


class FilteredStorage:
    """A study's storage without those trials; all else goes to the storage itself.

    Args:
        storage: of Optuna.
    """

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_all_trials(self, *arguments: Any, **options: Any) -> list[FrozenTrial]:
        """As the storage's, which is public and what samplers and pruners read through."""
        found: list[FrozenTrial] = self._storage.get_all_trials(*arguments, **options)
        return [trial for trial in found if not _is_hidden(trial)]


def _is_hidden(trial: FrozenTrial) -> bool:
    if trial.state == TrialState.WAITING:
        return False  # or `ask` would not find what is enqueued
    is_seed_run = trial.user_attrs.get("purpose") in ("audit", "finalist")
    return is_seed_run or "same_as" in trial.user_attrs
