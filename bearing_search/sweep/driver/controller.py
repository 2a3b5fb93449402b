"""Decides what runs next and how each trial ended; uses the ledger and callbacks, but not Ray."""

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bearing_search.config import to_plain
from bearing_search.errors import DiskFullError
from bearing_search.filesystem.disk_full import disk_full_error, is_disk_full
from bearing_search.measurement import Measurement
from bearing_search.sweep.driver.callback_list import CallbackList, copy_ended, trial_started
from bearing_search.sweep.driver.running_trials import FailureLimit, RunningTrial
from bearing_search.sweep.driver.session import StopRequest
from bearing_search.sweep.driver.session_files import (
    measurement_log,
    prepare_trial,
    remove_end,
    stop_if_deleted,
    stop_trial,
    write_end,
    write_seed_noise,
)
from bearing_search.sweep.driver.stall_monitor import StallMonitor
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.planning.ledger import Ledger
from bearing_search.sweep.planning.required_trials import ScheduledTrial
from bearing_search.sweep.record.layout import LOG
from bearing_search.sweep.study.storage import storage_errors
from bearing_search.sweep.worker.trial_lock import kill_worker
from bearing_search.text.durations import format_duration
from bearing_search.trial_history.callbacks import SweepCallback, TrialEnded
from bearing_search.trial_history.measurement_log import from_json
from bearing_search.trial_history.records import SweepOutcome, TrialRecord, TrialState

_log = logging.getLogger(__name__)


class SweepController:
    """Makes the decisions of one session.

    The scheduler calls `next_trial`, `on_report` and `on_trial_end`. An error in the ledger or in a
    callback must not take the scheduler down while trials run: it is stored, the trials are asked
    to stop, and `finish` raises it once they have ended.
    """

    def __init__(
        self,
        folder: SweepFolder,
        ledger: Ledger,
        callbacks: Sequence[SweepCallback],
        stop: StopRequest,
        stall_monitor: StallMonitor | None = None,
    ) -> None:
        self._folder = folder
        self._objective = folder.record.objective
        self._goals = folder.space().objective_spec
        self._ledger = ledger
        self._callbacks = CallbackList(callbacks)
        self._stop = stop
        self._stall_monitor = stall_monitor or StallMonitor()
        self._running: dict[int, RunningTrial] = {}
        self._failure_limit = FailureLimit(folder.record)
        self._error: Exception | None = None
        self.concurrent = 1

    @property
    def is_finished(self) -> bool:
        """Whether no more trials will be issued."""
        return self._is_done() or bool(self._stop.reason)

    def begin(self) -> None:
        """Notify the callbacks that the session begins."""
        remove_end(self._folder)
        # in a turn, or two drivers would each create the sweep's parent run
        with storage_errors(self._folder.storage_url), self._ledger.turn():
            self._callbacks.on_sweep_start(self._folder.view(self._ledger.begun()))

    def next_trial(self) -> ScheduledTrial | None:
        """A trial to start now; None: not now, or no more at all (see `is_finished`)."""
        with self._recording_errors():
            if self._stop.reason or len(self._running) >= self.concurrent:
                return None
            scheduled = self._ledger.next()
            self._report_copies()
            if scheduled is not None:
                self._prepare(scheduled)
                self._stop.meter.begin(scheduled.number)
                self._stall_monitor.begin(scheduled.number)
                log = measurement_log(self._folder, scheduled.number)
                self._running[scheduled.number] = RunningTrial(measurement_log=log)
            return scheduled
        return None

    def on_report(self, number: int, message: Mapping[str, Any]) -> None:
        """Handle a worker's message: a measurement, or why its trial failed."""
        with self._recording_errors():
            running = self._running[number]
            self._stall_monitor.on_report(number)
            if "disk_full" in message:  # not the trial's fault: it stays RUNNING, the session ends
                self.record_error(DiskFullError(str(message["disk_full"])))
            elif "failure" in message:
                running.failure = (str(message["failure"]), str(message.get("traceback", "")))
                running.may_retry = not message.get("is_final", True)
            elif "measurement" in message:
                self._measure(number, running, from_json(message["measurement"]))

    def on_trial_end(self, number: int, *, crash: tuple[str, str] | None = None) -> None:
        """Record the end of a trial, whose process has ended.

        Args:
            number: number of the trial.
            crash: reason and traceback, if the process died without reporting a failure.
        """
        running = self._running.pop(number)
        self._stop.meter.end(number)
        self._stall_monitor.end(number)
        with self._recording_errors():
            if running.objective is None and not running.is_overdue:
                running.failure = running.failure or crash
            state, reason = self._finish_trial(number, running)
            value = running.objective if state == "complete" else None
            end = TrialEnded(number=number, state=state, value=value, reason=reason)
            self._callbacks.on_trial_end(end)
            self._report_copies()
            self._failure_limit.count(state, reason, is_done=lambda: self._ledger.is_done)

    def poll(self) -> None:
        """Warn of stalled trials, and end those that exceed the timeout; to be called often."""
        with self._recording_errors():
            for number, remark in self._stall_monitor.stalled().items():
                log = self._folder.trial_folder(number) / LOG
                _log.warning("trial %d %s; its log is %s", number, remark, log)
            for number in self._stall_monitor.timed_out():
                self._running[number].is_overdue = True
                stop_trial(self._folder, number)
            for number in self._stall_monitor.unresponsive():
                kill_worker(self._folder.trial_folder(number))

    def record_error(self, error: Exception) -> None:
        """Store the first error for `finish` to raise, and ask all trials to stop."""
        if is_disk_full(error):
            error = disk_full_error(error, self._folder.root)
        self._error = self._error or error
        self._stop.request("error")

    def finish(self) -> SweepOutcome:
        """Notify the callbacks of the end of the session; returns its outcome.

        Raises:
            Exception: the stored error; SweepError if too many trials failed.
        """
        for number in sorted(self._running):  # the scheduler ended without reporting their ends
            self.on_trial_end(number)
        trials: Sequence[TrialRecord] = ()
        with self._recording_errors():
            trials = self._ledger.records()
            write_seed_noise(self._folder, trials)
        is_done = self._is_done()
        reason = "" if is_done else self._stop.reason
        outcome = SweepOutcome(
            target=self._folder.record.target,
            trials=trials,
            is_done=is_done,
            stopped_by=reason if reason != "error" else "",
            why_done=self._ledger.why_done,
        )
        with self._recording_errors():
            write_end(self._folder, outcome, self._error)
            self._callbacks.on_sweep_end(outcome)
        if self._error is not None:
            raise self._error
        return outcome

    def _is_done(self) -> bool:
        """Whether the ledger has nothing left to run; on an error false, and the sweep stops."""
        with self._recording_errors():
            return self._ledger.is_done
        return False

    def _prepare(self, scheduled: ScheduledTrial) -> None:
        prepare_trial(self._folder, scheduled)
        self._callbacks.on_trial_start(trial_started(scheduled, self._folder.record))

    def _report_copies(self) -> None:
        for scheduled, copy in self._ledger.pop_copied():
            self._prepare(scheduled)
            self._callbacks.on_trial_end(copy_ended(copy))

    def _measure(self, number: int, running: RunningTrial, measurement: Measurement) -> None:
        if reason := stop_if_deleted(self._folder, number):
            running.failure, running.may_retry = (reason, ""), True
        if running.failure is not None or not running.new_steps.admit(measurement):
            return
        running.measurement_log.append(measurement)
        self._callbacks.on_measurement(number, measurement)
        if self._objective in measurement.values:
            running.objective = float(measurement.values[self._objective])
            running.measured = measurement.values
        if self._ledger.report(number, measurement):
            running.is_pruned = True
            stop_trial(self._folder, number)

    def _finish_trial(self, number: int, running: RunningTrial) -> tuple[TrialState, str]:
        if running.failure is None and running.objective is not None:
            missing = [self._objective] * math.isnan(running.objective)
            missing += self._goals.missing(running.measured)
            if missing:
                running.failure = (f"{' and '.join(missing)} is not a number", "")
        if running.failure is not None:
            return self._fail(number, running.failure, may_retry=running.may_retry)
        if running.objective is not None:
            return "complete", self._ledger.complete(number, running.objective, running.measured)
        if running.is_overdue:
            limit = format_duration(self._stall_monitor.timeout_s or 0.0, rounded=True)
            return self._fail(number, (f"exceeded --trial-timeout ({limit})", ""))
        if running.is_pruned:
            self._ledger.prune(number)
            return "pruned", ""
        if self._stop.reason:
            self._ledger.release(number)
            return "stopped", self._stop.reason
        reason = f"its stream ended without {self._objective}, although it was not asked to stop"
        return self._fail(number, (reason, reason))

    def _fail(
        self, number: int, failure: tuple[str, str], *, may_retry: bool = False
    ) -> tuple[TrialState, str]:
        if may_retry and (retry := self._ledger.retry(number, failure[0])):
            most = self._folder.record.max_failures
            return "stopped", f"{failure[0]}; resumes where it was (retry {retry} of {most})"
        self._ledger.fail(number, *failure)
        return "failed", failure[0]

    @contextmanager
    def _recording_errors(self) -> Iterator[None]:
        try:
            with storage_errors(self._folder.storage_url):
                yield
        except Exception as error:  # `finish` raises it
            self.record_error(error)


def trial_payload(scheduled: ScheduledTrial) -> dict[str, Any]:
    """An issued trial as sent to the worker; the config is text, which Tune does not interpret."""
    return {"number": scheduled.number, "config": json.dumps(to_plain(scheduled.config))}
