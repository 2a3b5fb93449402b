"""What a session keeps of its trials: of each that runs, and of how they ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bearing_search.errors import SweepError
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.trial_history.measurement_log import MeasurementLog, NewSteps
from bearing_search.trial_history.records import TrialState

FAILURES_BEFORE_ANY_SUCCESS = 3
"""How many failed trials, with none finished in this session, end the sweep."""


@dataclass(slots=True, kw_only=True)
class RunningTrial:
    """A trial that runs."""

    measurement_log: MeasurementLog
    new_steps: NewSteps = field(default_factory=NewSteps)
    """Of this session: its process may be restarted, and Tune repeats the last report."""

    objective: float | None = None
    measured: Mapping[str, float] = field(default_factory=dict)
    """Further metrics, other than the objective."""

    failure: tuple[str, str] | None = None
    """Reason and traceback."""

    may_retry: bool = False
    """Whether the failure may be gone when the trial starts again."""

    is_overdue: bool = False
    """It took longer than it may, and was asked to end."""

    is_pruned: bool = False


class FailureLimit:
    """How the trials of a session ended.

    Args:
        record: of the sweep.
    """

    def __init__(self, record: SweepRecord) -> None:
        self._record = record
        self._num_failed = 0
        self._num_finished = 0

    def count(self, state: TrialState, reason: str, *, is_done: Callable[[], bool]) -> None:
        """Count a trial's end.

        Raises:
            SweepError: trials only fail, and more would be started.
        """
        self._num_finished += state in ("complete", "pruned")
        self._num_failed += state == "failed"
        limit = FAILURES_BEFORE_ANY_SUCCESS
        if self._num_finished:
            limit = max(limit, self._record.target)
        if self._num_failed >= limit and not is_done():
            raise SweepError(
                f"{self._record.name}: {self._num_failed} trials failed in this session and "
                f"{self._num_finished} finished, so no more are started. The last one: {reason}"
            )
