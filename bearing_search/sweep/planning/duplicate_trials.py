"""Duplicate trials: those with the identity of an earlier trial, whose result they copy."""

from collections.abc import Sequence

from optuna.trial import Trial

from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.planning.required_trials import ScheduledTrial
from bearing_search.sweep.study.study import SweepStudy
from bearing_search.trial_history.records import TrialRecord


class DuplicateTrials:
    """Trials that wait for a duplicate to end, and those that have copied its result.

    Args:
        study: study of the sweep.
        space: search space of the sweep.
    """

    def __init__(self, study: SweepStudy, space: SearchSpace) -> None:
        self._study = study
        self._space = space
        self._waiting: dict[int, list[Trial]] = {}  # running trial -> its duplicates
        self._told: list[TrialRecord] = []

    @property
    def num_waiting(self) -> int:
        """Number of waiting trials."""
        return sum(map(len, self._waiting.values()))

    def wait_for(self, trial: Trial, number: int) -> None:
        """Make a trial wait for the end of the one with that number."""
        self._waiting.setdefault(number, []).append(trial)

    def copy_end(self, trial: Trial, source: TrialRecord) -> TrialRecord:
        """End a trial with the result of its duplicate; returns its record."""
        copy = self._study.copy(trial, source)
        self._told.append(copy)
        return copy

    def on_finish(self, source: TrialRecord) -> Sequence[TrialRecord]:
        """End the trials that waited for a finished one; returns their records."""
        return [self.copy_end(trial, source) for trial in self._waiting.pop(source.number, [])]

    def on_failure(self, number: int) -> None:
        """Mark the trials that waited for a failed one as redrawn."""
        for trial in self._waiting.pop(number, []):
            self._study.redraw(trial, f"same as trial {number}, which failed")

    def on_stop(self, number: int) -> None:
        """Forget the trials that wait for a stopped one; they stay RUNNING as well."""
        self._waiting.pop(number, None)

    def pop_copied(self) -> list[tuple[ScheduledTrial, TrialRecord]]:
        """Trials that have copied a result since the last call."""
        told, self._told = self._told, []
        return [(ScheduledTrial.copied(copy, self._space), copy) for copy in told]
