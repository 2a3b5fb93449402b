"""Logs a sweep to MLflow: a parent run and one nested run per trial, written by the driver only.

Nothing is lost while MLflow is unreachable: a trial's measurements are in its folder
(`measurement_log`), and the steps that a run lacks are logged from there later.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bearing_search.errors import ResourceError
from bearing_search.measurement import Measurement
from bearing_search.tracking.store import allowed, connect, find_experiment, find_runs, unavailable
from bearing_search.tracking.summary import mark_setting, summary_of, write_summary
from bearing_search.tracking.tags import STATUS, TRIAL_TAG, end_tags, run_tags, sweep_tags
from bearing_search.trial_history.callbacks import SweepView, TrialEnded, TrialStarted
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, read_measurements
from bearing_search.trial_history.records import FINAL_STATES, SweepOutcome, TrialRecord

PROGRESS = "progress"
"""Metric logged with every measurement; its last step is the last one that a run has."""

OWN = -1
"""Stands for the parent run where a trial's number is expected."""

RETRY_AFTER_S = 30.0
"""Seconds without another attempt after MLflow failed."""

_log = logging.getLogger(__name__)


class MlflowTracker:
    """SweepCallback that logs a sweep to an MLflow server or to `sqlite:///ABSOLUTE/PATH`."""

    def __init__(self, tracking_uri: str) -> None:
        self._uri = tracking_uri
        self._started: SweepView | None = None
        self._client: Any = None
        self._experiment = self._parent = ""  # ids
        self._away_until = 0.0
        self._runs: dict[int, str] = {}
        self._tried: set[int] = set()  # trials whose runs this session has tried to create
        self._statuses: dict[int, str] = {}
        self._last_steps: dict[int, int] = {}
        self._trials: dict[int, TrialRecord] = {}
        self._behind: dict[int, TrialRecord | None] = {}  # trials with unlogged data, final records

    def on_sweep_start(self, sweep: SweepView) -> None:
        """Find or create the runs, and repair what a killed session left behind.

        Raises:
            ResourceError: MLflow cannot be reached.
        """
        self._started = sweep
        try:
            self._client = connect(self._uri)
            self._experiment = find_experiment(self._client, self._uri, sweep.name)
            self._open_parent()
            for trial in sweep.trials:
                self._reconcile(trial)
            self._catch_up()
        except unavailable() as error:
            reason = str(error).strip().splitlines()[0]
            raise ResourceError(f"MLflow cannot be used at {self._uri}: {reason}") from error

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
        elif not self._attempt(lambda: self._write(number, [measurement])):
            self._behind[number] = None

    def on_trial_end(self, trial: TrialEnded) -> None:
        """Upload the trial's artifacts and end its run with the status of its state."""
        self._behind[trial.number] = TrialRecord(
            number=trial.number, state=trial.state, value=trial.value, reason=trial.reason
        )
        self._attempt(self._catch_up)

    def on_sweep_end(self, outcome: SweepOutcome) -> None:
        """Log what is missing, and write the summary to the parent run."""
        self._away_until = 0.0
        self._attempt(self._catch_up)
        self._attempt(lambda: self._summarise(outcome))
        if self._behind:
            _log.warning(
                "MLflow at %s is missing data of %d trials; `resume` brings it up to date",
                self._uri,
                len(self._behind),
            )

    def attach(self, file: Path) -> None:
        """Upload a file, such as the report, to the parent run."""
        self._attempt(lambda: self._client.log_artifact(self._parent, str(file)))

    def mark(
        self, chosen: Sequence[int], scores: Mapping[str, float], suggestion: Mapping[str, Any]
    ) -> None:
        """Tag the setting that the report recommends; see `mark_setting`."""
        setting = (chosen, scores, suggestion)
        self._attempt(lambda: mark_setting(self._client, self._parent, self._runs, *setting))

    @property
    def _sweep(self) -> SweepView:
        assert self._started is not None, "on_sweep_start comes first"
        return self._started

    def _attempt(self, action: Callable[[], None]) -> bool:
        """Run an action; returns whether it worked. MLflow must neither end nor delay the sweep."""
        if time.monotonic() < self._away_until:
            return False
        try:
            action()
        except unavailable() as error:
            self._away_until = time.monotonic() + RETRY_AFTER_S
            reason = str(error).strip().splitlines()[0]
            _log.warning(
                "MLflow at %s does not respond; the sweep continues: %s", self._uri, reason
            )
            return False
        return True

    def _catch_up(self) -> None:
        for number in sorted(self._behind):
            end = self._behind[number]
            self._open_run(number)
            file = self._sweep.trial_folder(number) / MEASUREMENTS_FILE
            self._write(number, read_measurements(file, after=self._last_steps[number]))
            if end is not None:
                self._close_run(end)
            self._behind.pop(number)

    def _open_run(self, number: int) -> None:
        from mlflow.entities import Param

        if number in self._last_steps and self._statuses[number] == "RUNNING":
            return
        trial = self._trials[number]
        if number not in self._runs and (self._sweep.is_shared or number in self._tried):
            self._note_runs(number)  # another driver created it, or the response was lost
        if number not in self._runs:
            self._tried.add(number)
            tags = run_tags(trial, parent=self._parent)
            self._runs[number] = self._create_run(f"{self._sweep.name}-{number:05d}", tags)
        run_id = self._runs[number]
        self._client.update_run(run_id, status="RUNNING")
        self._statuses[number] = "RUNNING"
        params = [Param(path, json.dumps(value)) for path, value in trial.suggestion.items()]
        self._client.log_batch(run_id, params=params)
        config = self._sweep.trial_folder(number) / "config.json"
        if config.exists():
            self._client.log_artifact(run_id, str(config))
        history = self._client.get_metric_history(run_id, PROGRESS)
        self._last_steps[number] = max((metric.step for metric in history), default=-1)

    def _write(self, number: int, measurements: Iterable[Measurement]) -> None:
        """Log one batch per measurement, so that each step is complete or absent.

        While the answer to one is open, the run's last step is unknown: `_open_run` asks for it.
        """
        from mlflow.entities import Metric, RunTag

        for measurement in measurements:
            if measurement.step <= self._last_steps[number]:
                continue
            del self._last_steps[number]
            now = int(time.time() * 1000)
            values = {**measurement.values, PROGRESS: measurement.progress}
            self._client.log_batch(
                self._runs[number],
                metrics=[
                    Metric(allowed(name), float(value), now, measurement.step)
                    for name, value in values.items()
                ],
                tags=[RunTag(allowed(name), text) for name, text in measurement.tags.items()],
            )
            self._last_steps[number] = measurement.step

    def _close_run(self, trial: TrialRecord) -> None:
        run_id = self._runs[trial.number]
        folder = self._sweep.trial_folder(trial.number)
        for name, text in end_tags(trial).items():
            self._client.set_tag(run_id, name, text)
        for name in ("traceback.txt", "log.txt"):
            if (folder / name).exists():
                self._client.log_artifact(run_id, str(folder / name))
        if (folder / "artifacts").is_dir():
            self._client.log_artifacts(run_id, str(folder / "artifacts"))
        self._client.set_terminated(run_id, STATUS[trial.state])
        self._statuses[trial.number] = STATUS[trial.state]

    def _reconcile(self, trial: TrialRecord) -> None:
        self._trials[trial.number] = trial
        status = self._statuses.get(trial.number)
        if trial.state in FINAL_STATES:
            # a refused suggestion has no folder and needs no run
            was_run = self._sweep.trial_folder(trial.number).exists()
            if was_run and status != STATUS[trial.state]:
                self._behind[trial.number] = trial
        elif status == "RUNNING":
            self._client.set_terminated(self._runs[trial.number], "KILLED")
            self._statuses[trial.number] = "KILLED"

    def _note_runs(self, trial: int | None = None) -> str:
        """Record the existing runs; returns the id of the parent run, empty if there is none."""
        for run in find_runs(self._client, self._experiment, self._sweep.sweep_id, trial):
            number = int(run.data.tags.get(TRIAL_TAG, OWN))
            self._runs[number], self._statuses[number] = run.info.run_id, run.info.status
        return self._runs.pop(OWN, "")

    def _open_parent(self) -> None:
        parent = self._note_runs()
        facts = {allowed(name): text for name, text in self._sweep.facts.items()}
        self._parent = parent or self._create_run(self._sweep.name, facts)
        self._client.update_run(self._parent, status="RUNNING")

    def _create_run(self, name: str, tags: Mapping[str, str]) -> str:
        known = sweep_tags(self._sweep) | {key: text for key, text in tags.items() if text}
        run = self._client.create_run(self._experiment, run_name=name, tags=known)
        return str(run.info.run_id)

    def _summarise(self, outcome: SweepOutcome) -> None:
        write_summary(self._client, self._parent, *summary_of(self._sweep, outcome))
        self._client.set_terminated(self._parent, "FINISHED" if outcome.is_done else "KILLED")
