"""Runs trials with Ray Tune, used purely as an executor.

A session creates one or more fresh `Tuner`s. `Tuner.restore` and Tune's own state are not used.
"""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from bearing_search.errors import ResourceError
from bearing_search.measurement import RunTrial
from bearing_search.sweep.driver.controller import SweepController, trial_payload
from bearing_search.sweep.execution._vendor import error_file
from bearing_search.sweep.execution.callback import PollingCallback, RayDeath
from bearing_search.sweep.execution.exit_reasons import describe_exit, oom_kill_count
from bearing_search.sweep.execution.ray_health import RayHealthCheck
from bearing_search.sweep.record.resources import TrialResources
from bearing_search.sweep.remote.driver_sync import DriverSync
from bearing_search.sweep.worker.context import WorkerContext
from bearing_search.sweep.worker.process import run_payload

TRIALS_PER_TUNER = 1000
"""Maximum number of trials per `Tuner`. It holds about 90 kB per trial until it ends, so long
sweeps use several in succession. At the end of each one, GPUs idle until its last trial is done."""


def make_trainable(
    run_trial: RunTrial, worker_context: WorkerContext
) -> Callable[[dict[str, Any]], None]:
    """The trainable that Tune pickles for every worker, which calls it with a trial's payload.

    Args:
        run_trial: runs one trial.
        worker_context: settings that all trials of the session share.
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
    """Run trials that the controller issues, until it has no more or TRIALS_PER_TUNER have run.

    Args:
        controller: issues trials and receives their messages.
        folder_sync: fetches every trial's folder when it ends.
        trainable: see `make_trainable`.
        shares: resources of each trial.
        storage: new folder for Tune's own files.
        max_deaths: maximum restarts of a trial whose process died, from its folder.

    Raises:
        ResourceError: Ray has died, or a trial's folder cannot be fetched.
    """
    # for a custom searcher, Tune starts one worker at a time by default, even if more GPUs are idle
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(shares.starting)
    for module in ("tune", "execution.experiment_state"):  # we report failures ourselves
        logging.getLogger(f"ray.tune.{module}").setLevel(logging.CRITICAL)
    numbers: dict[str, int] = {}
    crashes: dict[str, tuple[str, str]] = {}
    ray_health = RayHealthCheck()
    tuner = tune.Tuner(
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
            callbacks=[PollingCallback(controller, folder_sync, ray_health)],
            failure_config=tune.FailureConfig(max_failures=max_deaths),
        ),
    )
    try:
        tuner.fit()
    except RayDeath as death:
        raise ResourceError(str(death)) from None
    except ray.exceptions.RayError:
        ray_health.check()  # says in one line what Tune may have noticed first
        raise


class _LedgerSearcher(Searcher):
    """Searcher that gets its trials from the controller, and reports their ends to it."""

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
        """The next trial's payload; None: none at the moment; FINISHED: no more."""
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
        """Fetch a trial's folder and record its end, once its last process has ended."""
        crash = self._crashes.pop(trial_id, None) if error else None
        self._folder_sync.pull(self._numbers[trial_id])
        self._controller.on_trial_end(self._numbers.pop(trial_id), crash=crash)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger holds all state."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger holds all state."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher; the study must not be pickled


class _ReportForwarder(FIFOScheduler):
    """Scheduler that forwards every report to the controller; pruned trials stop by a file."""

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
        """Forward a report."""
        self._controller.on_report(self._numbers[trial.trial_id], result)
        return str(TrialScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Record why a trial's last process died; called before `on_trial_complete`."""
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
