"""The callbacks of a session, called one after the other, and what they are given."""

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
    """Passes every event on; a SweepCallback itself.

    Only callbacks whose `on_sweep_start` has returned are called later: where one raises there,
    those before it are told the end of the session, and no other is.

    Args:
        callbacks: in the order in which they are called.
    """

    def __init__(self, callbacks: Sequence[SweepCallback]) -> None:
        self._callbacks = callbacks
        self._started: list[SweepCallback] = []

    def on_sweep_start(self, sweep: SweepView) -> None:
        """The session begins."""
        for callback in self._callbacks:
            callback.on_sweep_start(sweep)
            self._started.append(callback)

    def on_trial_start(self, trial: TrialStarted) -> None:
        """A trial was handed out."""
        for callback in self._started:
            callback.on_trial_start(trial)

    def on_measurement(self, number: int, measurement: Measurement) -> None:
        """A measurement arrived."""
        for callback in self._started:
            callback.on_measurement(number, measurement)

    def on_trial_end(self, trial: TrialEnded) -> None:
        """A trial ended, or was stopped."""
        for callback in self._started:
            callback.on_trial_end(trial)

    def on_sweep_end(self, outcome: SweepOutcome) -> None:
        """The session is over."""
        for callback in self._started:
            callback.on_sweep_end(outcome)


def trial_started(scheduled: ScheduledTrial, record: SweepRecord) -> TrialStarted:
    """The event that a trial of the sweep with that record was handed out."""
    return TrialStarted(
        number=scheduled.number,
        config=scheduled.config,
        digest=record.config_digest(scheduled.config),
        suggestion=scheduled.suggestion,
        purpose=scheduled.purpose,
        identity=scheduled.identity,
    )


def copy_ended(copy: TrialRecord) -> TrialEnded:
    """The event that a trial, which was not trained, was told the end of another."""
    return TrialEnded(number=copy.number, state=copy.state, value=copy.value, reason=copy.reason)
