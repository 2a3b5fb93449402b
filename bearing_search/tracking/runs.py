"""The runs of one sweep in MLflow: opened, written and ended; restored or remade if deleted."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bearing_search.measurement import Measurement
from bearing_search.tracking.batches import MOST_METRICS, MOST_TEXTS, batches
from bearing_search.tracking.display import dataset_input, displayed, run_name, short_labels
from bearing_search.tracking.errors import first_line, is_gone, is_refusal, unavailable
from bearing_search.tracking.names import allowed, cut_names, param_text, tag_text
from bearing_search.tracking.store import find_experiment, find_runs
from bearing_search.tracking.tags import (
    MLFLOW_VERSION_TAG,
    STATUS,
    TRIAL_TAG,
    end_tags,
    run_tags,
    sweep_tags,
)
from bearing_search.trial_history.callbacks import SweepView
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, read_measurements
from bearing_search.trial_history.records import TrialRecord

PROGRESS = "progress"
"""Metric logged last with every measurement; its last step is the last one that a run has."""

OWN = -1
"""Stands for the parent run where a trial's number is expected."""

_LOG = logging.getLogger(__name__)

T = TypeVar("T")


class SweepRuns:
    """The parent run of a sweep, and one nested run for each trial.

    A run that was deleted in MLflow is restored when it is next written to, and one that was
    deleted for good is made again; a warning says so.

    Args:
        client: an MlflowClient whose store, at `uri`, has answered.
    """

    def __init__(self, client: Any, uri: str, sweep: SweepView) -> None:
        self.client, self._sweep = client, sweep
        self._experiment = find_experiment(client, uri, sweep.name)
        self._runs: dict[int, str] = {}
        self._statuses: dict[int, str] = {}
        self._last_steps: dict[int, int] = {}
        self._tried: set[int] = set()  # trials whose runs this session has tried to create
        self._labels = short_labels(sweep.parameters)
        self._note_runs()
        self._open_parent()

    def status(self, number: int) -> str | None:
        """MLflow's status of a trial's run; None: it has none."""
        return self._statuses.get(number)

    def open(self, trial: TrialRecord) -> None:
        """Create a trial's run, or reopen it."""
        number = trial.number
        if number in self._last_steps and self._statuses[number] == "RUNNING":
            return
        if number not in self._runs and (self._sweep.is_shared or number in self._tried):
            self._note_runs(number)  # another driver created it, or the response was lost
        if number not in self._runs:
            self._tried.add(number)
            tags = run_tags(trial, parent=self._runs[OWN])
            self._runs[number] = self._create_run(run_name(trial, self._labels), tags)
        self._set_status(number, "RUNNING")
        self._log_params(number, trial.suggestion)
        self.log_files(number, [self._sweep.trial_folder(number) / "config.json"])
        history = self.on_run(number, self.client.get_metric_history, PROGRESS)
        self._last_steps[number] = max((metric.step for metric in history), default=-1)

    def write(self, number: int, measurements: Iterable[Measurement]) -> None:
        """Log measurements after the last logged step; each is complete or absent.

        A measurement that MLflow refuses is left out, with a warning. While the answer to one is
        open, the run's last step is unknown: `open` asks for it.
        """
        for measurement in measurements:
            if measurement.step <= self._last_steps[number]:
                continue
            del self._last_steps[number]
            values = displayed(measurement.values, self._sweep.objective)
            values[PROGRESS] = measurement.progress
            try:
                self.log(number, values, measurement.tags, step=measurement.step)
            except unavailable() as error:
                if not is_refusal(error) or number not in self._runs:
                    raise
                what, why = (measurement.step, number), first_line(error)
                _LOG.warning("MLflow refused step %d of trial %d: %s", *what, why)
            self._last_steps[number] = measurement.step

    def has(self, number: int) -> bool:
        """Whether a trial has a run."""
        return number in self._runs

    def last_step(self, number: int) -> int:
        """The last step that a trial's open run has; -1: none."""
        return self._last_steps[number]

    def tags(self, number: int) -> Mapping[str, str]:
        """Tags of a run."""
        tags: Mapping[str, str] = self.on_run(number, self.client.get_run).data.tags
        return tags

    def log_json(self, number: int, content: Mapping[str, Any], name: str) -> None:
        """Upload a JSON file."""
        self.on_run(number, self.client.log_dict, dict(content), name)

    def tag_experiment(self, name: str, text: str) -> None:
        """Set a tag of the sweep's experiment."""
        self.client.set_experiment_tag(self._experiment, name, tag_text(text))

    def delete_parent(self) -> None:
        """Delete the parent run, and the experiment if no other run is in it."""
        self.client.delete_run(self._runs[OWN])
        if not self.client.search_runs([self._experiment], max_results=1):
            self.client.delete_experiment(self._experiment)

    def close(self, trial: TrialRecord) -> None:
        """Upload a trial's artifacts and end its run with the status of its state."""
        number, folder = trial.number, self._sweep.trial_folder(trial.number)
        self.log(number, {}, end_tags(trial))
        self.log_files(number, [folder / "traceback.txt", folder / "log.txt"])
        if (folder / "artifacts").is_dir():
            self.on_run(number, self.client.log_artifacts, str(folder / "artifacts"))
        reported = read_measurements(folder / MEASUREMENTS_FILE)
        if cut := cut_names(name for one in reported for name in (*one.values, *one.tags)):
            self.log_json(number, cut, "names.json")
        self.end(number, STATUS[trial.state])

    def end(self, number: int, status: str) -> None:
        """End a run with one of MLflow's statuses."""
        self.on_run(number, self.client.set_terminated, status)
        self._statuses[number] = status

    def log(
        self, number: int, values: Mapping[str, float], tags: Mapping[str, str], *, step: int = 0
    ) -> None:
        """Log metrics and tags to a run, in batches that MLflow accepts; the last value last."""
        from mlflow.entities import Metric, RunTag

        now = int(time.time() * 1000)
        texts = [RunTag(allowed(name), tag_text(text)) for name, text in tags.items()]
        metrics = [Metric(allowed(name), float(value), now, step) for name, value in values.items()]
        for some in batches(texts, MOST_TEXTS):
            self.on_run(number, self.client.log_batch, (), (), some)
        for many in batches(metrics, MOST_METRICS):
            self.on_run(number, self.client.log_batch, many)

    def log_files(self, number: int, files: Sequence[Path]) -> None:
        """Upload those of the files that exist."""
        for file in files:
            if file.is_file():
                self.on_run(number, self.client.log_artifact, str(file))

    def on_run(self, number: int, action: Callable[..., T], *arguments: Any) -> T:
        """Call `action` with a run's id; if the run was deleted, restore or remake it before."""
        try:
            return action(self._runs[number], *arguments)
        except unavailable() as error:
            if not is_refusal(error) or not self._revive(number):
                raise
        return action(self._runs[number], *arguments)

    def _revive(self, number: int) -> bool:
        """Restore a run that was deleted; returns whether it can be used again."""
        what = "the sweep's run" if number == OWN else f"the run of trial {number}"
        self._restore_experiment()
        try:
            stage = self.client.get_run(self._runs[number]).info.lifecycle_stage
        except unavailable() as error:
            if not is_gone(error):
                raise
            _LOG.warning("%s was deleted from MLflow for good; it is made again", what)
            for known in (self._runs, self._statuses, self._last_steps):
                known.pop(number, None)
            if number == OWN:
                self._open_parent()
            return number == OWN
        if stage == "deleted":
            self.client.restore_run(self._runs[number])
            _LOG.warning("%s was deleted from MLflow; it is restored", what)
        return True

    def _log_params(self, number: int, suggestion: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        texts = {allowed(path): param_text(value) for path, value in suggestion.items()}
        there = self.on_run(number, self.client.get_run).data.params  # they cannot be changed
        missing = [Param(name, text) for name, text in texts.items() if name not in there]
        for some in batches(missing, MOST_TEXTS):
            self.on_run(number, self.client.log_batch, (), some)
        whole = {json.dumps(value, ensure_ascii=False) for value in suggestion.values()}
        if missing and (cut_names(suggestion) or not whole >= set(texts.values())):
            self.log_json(number, suggestion, "params.json")

    def _note_runs(self, trial: int | None = None) -> None:
        """Record the existing runs; one that is deleted only if there is no other."""
        for run in find_runs(self.client, self._experiment, self._sweep.sweep_id, trial):
            number = int(run.data.tags.get(TRIAL_TAG, OWN))
            if run.info.lifecycle_stage == "deleted" and number in self._runs:
                continue
            self._runs[number], self._statuses[number] = run.info.run_id, run.info.status

    def _open_parent(self) -> None:
        from mlflow import __version__

        if OWN not in self._runs:
            self._runs[OWN] = self._create_run(self._sweep.name, self._sweep.facts)
        self._set_status(OWN, "RUNNING")
        self.log(OWN, {}, {MLFLOW_VERSION_TAG: __version__})

    def _set_status(self, number: int, status: str) -> None:
        self.on_run(number, lambda run: self.client.update_run(run, status=status))
        self._statuses[number] = status

    def _create_run(self, name: str, tags: Mapping[str, str]) -> str:
        known = sweep_tags(self._sweep) | {key: text for key, text in tags.items() if text}
        texts = {allowed(key): tag_text(text) for key, text in known.items()}

        def create() -> str:
            run = self.client.create_run(self._experiment, run_name=name, tags=texts)
            if used := dataset_input(self._sweep.facts):
                self.client.log_inputs(run.info.run_id, [used])
            return str(run.info.run_id)

        try:
            return create()
        except unavailable() as error:
            if not is_refusal(error) or not self._restore_experiment():
                raise
        return create()

    def _restore_experiment(self) -> bool:
        """Restore the experiment if it was deleted; returns whether it was."""
        if self.client.get_experiment(self._experiment).lifecycle_stage != "deleted":
            return False
        self.client.restore_experiment(self._experiment)
        _LOG.warning("MLflow's experiment %s was deleted; it is restored", self._sweep.name)
        return True
