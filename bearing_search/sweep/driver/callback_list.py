"""Calls a session's callbacks one after the other, and builds the events that they receive."""

from collections.abc import Sequence
from typing import final

from bearing_search.measurement import Measurement
from bearing_search.sweep.planning.required_trials import ScheduledTrial
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.trial_history.callbacks import (
    SweepCallback,
    SweepView,
    TrialEnded,
    TrialStarted,
)
from bearing_search.trial_history.records import SweepOutcome, TrialRecord


@final
class CallbackList:
    """Forwards every event to its callbacks; a SweepCallback itself.

    Only callbacks whose `on_sweep_start` has returned are called later: if one of them raises
    there, only those before it are notified of the end of the session.

    Args:
        callbacks: in the order in which they are called.
    """

    def __init__(self, callbacks: Sequence[SweepCallback]) -> None:
        self._callbacks = callbacks
        self._started: list[SweepCallback] = []

    def on_sweep_start(self, sweep: SweepView) -> None:
        """Forward the start of the session."""
        for callback in self._callbacks:
            callback.on_sweep_start(sweep)
            self._started.append(callback)

    def on_trial_start(self, trial: TrialStarted) -> None:
        """Forward that a trial was issued."""
        for callback in self._started:
            callback.on_trial_start(trial)

    def on_measurement(self, number: int, measurement: Measurement) -> None:
        """Forward a measurement."""
        for callback in self._started:
            callback.on_measurement(number, measurement)

    def on_trial_end(self, trial: TrialEnded) -> None:
        """Forward that a trial ended or was stopped."""
        for callback in self._started:
            callback.on_trial_end(trial)

    def on_sweep_end(self, outcome: SweepOutcome) -> None:
        """Forward the end of the session."""
        for callback in self._started:
            callback.on_sweep_end(outcome)


def trial_started(scheduled: ScheduledTrial, record: SweepRecord) -> TrialStarted:
    """The event for a trial that was issued.

    Args:
        scheduled: the trial.
        record: record of its sweep.
    """
    return TrialStarted(
        number=scheduled.number,
        config=scheduled.config,
        digest=record.config_digest(scheduled.config),
        suggestion=scheduled.suggestion,
        purpose=scheduled.purpose,
        identity=scheduled.identity,
    )


def copy_ended(copy: TrialRecord) -> TrialEnded:
    """The event for a trial that was not trained, but copied the result of another one."""
    return TrialEnded(number=copy.number, state=copy.state, value=copy.value, reason=copy.reason)
