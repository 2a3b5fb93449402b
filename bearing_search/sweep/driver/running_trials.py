"""A session's state: one record per running trial, and a count of how trials ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bearing_search.errors import SweepError
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.trial_history.measurement_log import MeasurementLog, NewSteps
from bearing_search.trial_history.records import TrialState

FAILURES_BEFORE_ANY_SUCCESS = 3
"""Number of failed trials that ends the session if none has finished in it."""


@dataclass(slots=True, kw_only=True)
class RunningTrial:
    """State of a running trial."""

    measurement_log: MeasurementLog
    new_steps: NewSteps = field(default_factory=NewSteps)
    """Filters repeats in this session: the process may be restarted, and Tune repeats reports."""

    objective: float | None = None
    measured: Mapping[str, float] = field(default_factory=dict)
    """Values of the measurement that held the objective."""

    failure: tuple[str, str] | None = None
    """Reason and traceback."""

    may_retry: bool = False
    """Whether restarting the trial may get past the failure."""

    is_overdue: bool = False
    """Whether it exceeded its timeout and was asked to stop."""

    is_pruned: bool = False


class FailureLimit:
    """Ends a session in which too many trials fail.

    Args:
        record: record of the sweep.
    """

    def __init__(self, record: SweepRecord) -> None:
        self._record = record
        self._num_failed = 0
        self._num_finished = 0

    def count(self, state: TrialState, reason: str, *, is_done: Callable[[], bool]) -> None:
        """Count a trial that ended.

        Raises:
            SweepError: too many trials failed, and more would be started.
        """
        self._num_finished += state in ("complete", "pruned")
        self._num_failed += state == "failed"
        limit = FAILURES_BEFORE_ANY_SUCCESS
        if self._num_finished:
            limit = max(limit, self._record.target)
        if self._num_failed >= limit and not is_done():
            raise SweepError(
                f"{self._record.name}: {self._num_failed} trials failed in this session and "
                f"{self._num_finished} finished, so no more are started. The last failure: {reason}"
            )
