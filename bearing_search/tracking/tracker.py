"""Logs a sweep to MLflow: a parent run and one nested run per trial, written by the driver only.

Nothing is lost while MLflow is unreachable: a trial's measurements are in its folder
(`measurement_log`), and the steps that a run lacks are logged from there later.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bearing_search.errors import DamagedFileError
from bearing_search.measurement import Measurement
from bearing_search.tracking.display import NOTE_TAG, VIEW_TAG, view_of_runs
from bearing_search.tracking.errors import first_line, is_refusal, store_errors, unavailable
from bearing_search.tracking.runs import OWN, SweepRuns
from bearing_search.tracking.store import connect
from bearing_search.tracking.summary import mark_setting, summary_of, write_summary
from bearing_search.tracking.tags import STATUS
from bearing_search.trial_history.callbacks import SweepView, TrialEnded, TrialStarted
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, read_measurements
from bearing_search.trial_history.records import FINAL_STATES, SweepOutcome, TrialRecord

RETRY_AFTER_S = 30.0
"""Seconds without another attempt after MLflow did not respond."""

_log = logging.getLogger(__name__)


class MlflowTracker:
    """SweepCallback that logs a sweep to an MLflow server or to a sqlite file.

    Args:
        tracking_uri: URI of the store; a sqlite file's must be absolute.
    """

    def __init__(self, tracking_uri: str) -> None:
        self._uri = tracking_uri
        self._started: tuple[SweepView, SweepRuns] | None = None
        self._away_until = 0.0
        self._trials: dict[int, TrialRecord] = {}
        self._behind: dict[int, TrialRecord | None] = {}  # trials with unlogged data, final records
        self._refused: set[int] = set()  # those of them that cannot be logged

    def on_sweep_start(self, sweep: SweepView) -> None:
        """Find or create the runs, and repair what a killed session left behind.

        Raises:
            ResourceError: MLflow cannot be reached, or its database was written by a newer one.
        """
        with store_errors(self._uri):
            self._started = sweep, SweepRuns(connect(self._uri), self._uri, sweep)
            view = view_of_runs(sweep.objective, sweep.parameters)
            self._runs.tag_experiment(VIEW_TAG, view)
            for trial in sweep.trials:
                self._reconcile(trial)
            self._catch_up()

    def on_trial_start(self, trial: TrialStarted) -> None:
        """Create the trial's run, or reopen it."""
        self._trials[trial.number] = TrialRecord(
            number=trial.number,
            state="running",
            suggestion=trial.suggestion,
            digest=trial.digest,
            identity=trial.identity,
            purpose=trial.purpose,
            seed=trial.config.seed,
        )
        self._behind[trial.number] = None
        self._attempt(self._catch_up)

    def on_measurement(self, number: int, measurement: Measurement) -> None:
        """Log the measurement in one batch, with any earlier ones that are still missing."""
        if number in self._behind:
            self._attempt(self._catch_up)
        elif not self._attempt(lambda: self._runs.write(number, [measurement])):
            self._behind[number] = None
            if not self._runs.has(number):  # its run was deleted for good: made again at once
                self._attempt(self._catch_up)

    def on_trial_end(self, trial: TrialEnded) -> None:
        """Upload the trial's artifacts and end its run with the status of its state."""
        self._behind[trial.number] = TrialRecord(
            number=trial.number, state=trial.state, value=trial.value, reason=trial.reason
        )
        self._attempt(self._catch_up)

    def on_sweep_end(self, outcome: SweepOutcome) -> None:
        """Log what is missing, and write the summary to the parent run."""
        self._away_until = 0.0
        self._refused.clear()
        self._attempt(self._catch_up)
        self._attempt(lambda: self._summarise(outcome))
        if self._behind:
            _log.warning(
                "MLflow at %s is missing data of %d trials; `resume` brings it up to date",
                self._uri,
                len(self._behind),
            )

    def attach(self, file: Path) -> None:
        """Upload a file to the parent run; a report becomes the description of run and sweep."""
        self._attempt(lambda: self._runs.log_files(OWN, [file]))
        if file.suffix == ".md" and file.is_file():
            self._attempt(lambda: self._describe(file.read_text(encoding="utf-8")))

    def mark(
        self, chosen: Sequence[int], scores: Mapping[str, float], suggestion: Mapping[str, Any]
    ) -> None:
        """Tag the setting that the report recommends; see `mark_setting`."""
        self._attempt(lambda: mark_setting(self._runs, chosen, scores, suggestion))

    def discard(self) -> None:
        """Delete the parent run, and the experiment if it was the only one: no trial has begun."""
        if self._started is not None:
            self._attempt(self._runs.delete_parent)

    @property
    def _sweep(self) -> SweepView:
        assert self._started is not None, "on_sweep_start comes first"
        return self._started[0]

    @property
    def _runs(self) -> SweepRuns:
        assert self._started is not None, "on_sweep_start comes first"
        return self._started[1]

    def _attempt(self, action: Callable[[], None]) -> bool:
        """Run an action; returns whether it worked. MLflow must neither end nor delay the sweep."""
        if time.monotonic() < self._away_until:
            return False
        try:
            action()
        except unavailable() as error:
            says = "refused this" if is_refusal(error) else "does not respond"
            _log.warning(
                "MLflow at %s %s; the sweep continues: %s", self._uri, says, first_line(error)
            )
            if not is_refusal(error):
                self._away_until = time.monotonic() + RETRY_AFTER_S
            return False
        return True

    def _catch_up(self) -> None:
        """Log what runs lack; a trial that MLflow refuses does not hold up the others."""
        for number in sorted(self._behind.keys() - self._refused):
            try:
                self._bring_up(number)
            except DamagedFileError as error:
                self._refused.add(number)
                _log.warning("MLflow misses what trial %d measured: %s", number, error)
            except unavailable() as error:
                if not is_refusal(error):
                    raise
                if not self._runs.has(number):  # it was deleted for good
                    self._bring_up(number)
                    continue
                self._refused.add(number)
                _log.warning("MLflow refused trial %d: %s", number, first_line(error))

    def _bring_up(self, number: int) -> None:
        end = self._behind[number]
        self._runs.open(self._trials[number])
        file = self._sweep.trial_folder(number) / MEASUREMENTS_FILE
        after = self._runs.last_step(number)
        self._runs.write(number, read_measurements(file, after=after))
        if end is not None:
            self._runs.close(end)
        self._behind.pop(number)

    def _reconcile(self, trial: TrialRecord) -> None:
        self._trials[trial.number] = trial
        status = self._runs.status(trial.number)
        if trial.state in FINAL_STATES:
            # a refused suggestion has no folder and needs no run
            was_run = self._sweep.trial_folder(trial.number).exists()
            if was_run and status != STATUS[trial.state]:
                self._behind[trial.number] = trial
        elif status == "RUNNING":
            self._runs.end(trial.number, "KILLED")

    def _describe(self, report: str) -> None:
        self._runs.log(OWN, {}, {NOTE_TAG: report})
        self._runs.tag_experiment(NOTE_TAG, report)

    def _summarise(self, outcome: SweepOutcome) -> None:
        write_summary(self._runs, *summary_of(self._sweep, outcome))
        self._runs.end(OWN, "FINISHED" if outcome.is_done else "KILLED")
