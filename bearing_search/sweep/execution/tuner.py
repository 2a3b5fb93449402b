"""Ray Tune as nothing but an executor.

A session is a fresh `Tuner`, or several. `Tuner.restore` and Tune's own books are not used.
"""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from bearing_search.measurement import RunTrial
from bearing_search.sweep.driver.controller import SweepController, trial_payload
from bearing_search.sweep.execution._vendor import error_file
from bearing_search.sweep.execution.callback import PollingCallback
from bearing_search.sweep.execution.exit_reasons import describe_exit, oom_kill_count
from bearing_search.sweep.execution.ray_health import RayHealthCheck
from bearing_search.sweep.record.resources import TrialResources
from bearing_search.sweep.remote.driver_sync import DriverSync
from bearing_search.sweep.worker.context import WorkerContext
from bearing_search.sweep.worker.process import run_payload

TRIALS_PER_TUNER = 1000
"""Trials of one `Tuner`. It keeps about 90 kB of each until it ends, so that a sweep of any length
needs several, one after the other. At the end of each, GPUs wait once for the last trial."""


def make_trainable(
    run_trial: RunTrial, worker_context: WorkerContext
) -> Callable[[dict[str, Any]], None]:
    """The function that Tune pickles into every worker, which calls it with a trial's payload.

    Args:
        run_trial: the trial.
        worker_context: what all trials share.
    """

    def trainable(payload: dict[str, Any]) -> None:
        run_payload(payload, worker_context, run_trial, tune.report)

    return trainable


def execute(
    controller: SweepController,
    folder_sync: DriverSync,
    trainable: Callable[[dict[str, Any]], None],
    shares: TrialResources,
    storage: Path,
    *,
    max_deaths: int,
) -> None:
    """Run trials as the controller hands them out, until it has no more, or TRIALS_PER_TUNER.

    Args:
        controller: issues trials and receives their messages.
        folder_sync: brings every trial's folder home at its end.
        trainable: see `make_trainable`.
        shares: what each trial holds.
        storage: new folder for Tune's own files.
        max_deaths: so often a trial whose process dies starts again, from its folder.

    Raises:
        ResourceError: Ray has died below it, or a trial's folder cannot be brought home.
    """
    # Tune starts one worker at a time for a searcher of one's own, however many GPUs wait
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(shares.starting)
    for module in ("tune", "execution.experiment_state"):  # we tell failures ourselves
        logging.getLogger(f"ray.tune.{module}").setLevel(logging.CRITICAL)
    numbers: dict[str, int] = {}
    crashes: dict[str, tuple[str, str]] = {}
    tune.Tuner(
        tune.with_resources(trainable, {"cpu": shares.cpus, "gpu": shares.gpus}),
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=_LedgerSearcher(controller, folder_sync, numbers, crashes),
            scheduler=_ReportForwarder(controller, numbers, crashes, max_deaths),
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=storage.name,
            storage_path=str(storage.parent),
            verbose=0,
            callbacks=[PollingCallback(controller, folder_sync, RayHealthCheck())],
            failure_config=tune.FailureConfig(max_failures=max_deaths),
        ),
    ).fit()


class _LedgerSearcher(Searcher):
    """Tune asks it for trials, and tells it when one has ended."""

    def __init__(
        self,
        controller: SweepController,
        folder_sync: DriverSync,
        numbers: dict[str, int],
        crashes: dict[str, tuple[str, str]],
    ) -> None:
        super().__init__(metric=None, mode=None)
        self._controller = controller
        self._folder_sync = folder_sync
        self._numbers = numbers
        self._crashes = crashes
        self._num_issued = 0

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial; None: later; FINISHED: no more."""
        if self._num_issued >= TRIALS_PER_TUNER:
            return str(Searcher.FINISHED)
        scheduled = self._controller.next_trial()
        if scheduled is None:
            return str(Searcher.FINISHED) if self._controller.is_finished else None
        self._num_issued += 1
        self._numbers[trial_id] = scheduled.number
        self._folder_sync.on_start(scheduled.number)
        return trial_payload(scheduled)

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """The end of a trial's last process."""
        crash = self._crashes.pop(trial_id, None) if error else None
        self._folder_sync.pull(self._numbers[trial_id])
        self._controller.on_trial_end(self._numbers.pop(trial_id), crash=crash)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger remembers."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger remembers."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher; the study must not travel


class _ReportForwarder(FIFOScheduler):
    """Tune shows it every report first. Pruned trials are asked to stop, by a file."""

    def __init__(
        self,
        controller: SweepController,
        numbers: dict[str, int],
        crashes: dict[str, tuple[str, str]],
        max_deaths: int,
    ) -> None:
        super().__init__()
        self._max_deaths, self._kills_before = max_deaths, oom_kill_count()
        self._controller = controller
        self._numbers = numbers
        self._crashes = crashes

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Pass a report on."""
        self._controller.on_report(self._numbers[trial.trial_id], result)
        return str(TrialScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """A trial's process has died for the last time; comes before the searcher's word."""
        file = error_file(trial)
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        reason = describe_exit(
            text,
            times=self._max_deaths + 1,
            was_short_of_memory=oom_kill_count() > self._kills_before,
        )
        self._crashes[trial.trial_id] = (reason, text)

    def __getstate__(self) -> dict[str, Any]:
        return {}
