"""Runs a sweep or resumes one: the two are the same, since all state is in the ledger."""

import shutil
from collections.abc import Sequence
from contextlib import closing, suppress

from bearing_search.errors import ResourceError, SweepError
from bearing_search.filesystem.database_url import sqlite_file
from bearing_search.measurement import RunTrial
from bearing_search.sweep.driver.controller import SweepController
from bearing_search.sweep.driver.session import (
    SignalHandler,
    StopRequest,
    begin_session,
    end_session,
    new_scratch,
)
from bearing_search.sweep.driver.stall_monitor import StallMonitor
from bearing_search.sweep.execution.runtime import (
    InterruptedStartError,
    check_nodes,
    ray_runtime,
)
from bearing_search.sweep.execution.tuner import execute, make_trainable
from bearing_search.sweep.folder.listing import refuse_lost_ledger
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.locking.drivers import Drivers
from bearing_search.sweep.locking.lock import acquire, join_sweep
from bearing_search.sweep.planning.ledger import Ledger
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.remote.driver_sync import DriverSync, NoSync, StoreSync
from bearing_search.sweep.remote.worker_sync import StoreAddress
from bearing_search.sweep.study.storage import delete_study
from bearing_search.sweep.worker.context import WorkerContext
from bearing_search.sweep.worker.node_check import local_code_version
from bearing_search.text.passwords import without_password
from bearing_search.trial_history.callbacks import SweepCallback
from bearing_search.trial_history.records import SweepOutcome

_AS_RECORDED = SessionOptions()


def run_sweep(
    folder: SweepFolder,
    run_trial: RunTrial,
    options: SessionOptions = _AS_RECORDED,
    callbacks: Sequence[SweepCallback] = (),
) -> SweepOutcome:
    """Run trials until the target is reached or a stop is requested.

    Trials that an earlier session left running are resumed first, from their folders.

    Args:
        folder: the sweep; its space, data, seed, pruner and storage are in its record.
        run_trial: runs one trial. It is pickled for the workers, so it must be a function in an
            importable module; importing that module must not load torch.
        options: for this session; options that are None keep the recorded values.
        callbacks: receive all events, in this process.

    Returns:
        How the session ended; `interrupted` after SIGINT or SIGTERM. A second signal ends the
        process at once.

    Raises:
        SweepError: another driver holds the sweep, its ledger cannot be used, or too many trials
            failed.
        ResourceError: no machine has the resources requested for a trial.
    """
    with acquire(folder, join=options.join) as drivers:
        folder = join_sweep(folder, options) if options.join else folder.updated(options)
        stop = StopRequest(
            folder,
            drivers,
            time_budget_s=options.time_budget_s,
            gpu_budget_s=options.gpu_budget_s,
        )
        opened = open_ledger(folder, drivers, retries_failed=options.retries_failed)
        with SignalHandler(stop) as signals, closing(opened) as ledger:
            stall_monitor = StallMonitor(timeout_s=options.trial_timeout_s)
            controller = SweepController(folder, ledger, callbacks, stop, stall_monitor)
            try:
                controller.begin()
                if not controller.is_finished:
                    session = begin_session(folder, drivers)
                    try:
                        _run_trials(folder, run_trial, controller, signals, stop, session)
                    finally:
                        end_session(folder, drivers)
            except InterruptedStartError:
                stop.request("signal")
            except Exception as error:  # `finish` raises it, after notifying the callbacks
                controller.record_error(error)
            return controller.finish()


def _run_trials(
    folder: SweepFolder,
    run_trial: RunTrial,
    controller: SweepController,
    signals: SignalHandler,
    stop: StopRequest,
    session: str,
) -> None:
    resources = folder.record.resources
    is_cluster = resources.address is not None
    depot = StoreAddress(resources.depot, folder.study_name) if resources.depot else None
    folder_sync: DriverSync = StoreSync(folder, depot.open()) if depot else NoSync()
    with ray_runtime(resources, signals.install) as plan:
        controller.concurrent = plan.concurrent
        stop.count_gpus(plan.gpus)
        worker_context = WorkerContext(
            root=folder.root,
            session=session,
            data=folder.data,
            cache=folder.cache,
            threads=plan.threads,
            gpus=plan.gpus,
            bits=folder.record.bits,
            objective=folder.record.objective,
            shares_stages=folder.record.shares_stages,
            code=local_code_version() if is_cluster else None,
            depot=depot,
        )
        if is_cluster:
            check_nodes(worker_context, plan)
        most = folder.record.max_failures
        trainable = make_trainable(run_trial, worker_context)
        while not controller.is_finished:
            scratch = new_scratch(folder)
            execute(controller, folder_sync, trainable, plan, scratch, max_deaths=most)


def open_ledger(folder: SweepFolder, drivers: Drivers, *, retries_failed: bool = False) -> Ledger:
    """Open the ledger of a sweep whose lock this process holds.

    Raises:
        SweepError: the ledger is lost or cannot be used.
    """
    place = without_password(folder.storage_url)
    file = sqlite_file(folder.storage_url)
    if file is not None and not file.exists():
        refuse_lost_ledger(folder.root, place)
    ledger = Ledger(folder, drivers, retries_failed=retries_failed)
    try:
        if not ledger.records():
            refuse_lost_ledger(folder.root, place)
    except SweepError:
        ledger.close()
        raise
    return ledger


def discard(folder: SweepFolder) -> None:
    """Delete a sweep in which no trial has begun: its folder, and its study in another database."""
    assert not any((folder.root / "trials").iterdir())
    if folder.record.storage:
        with suppress(SweepError, ResourceError):
            delete_study(folder.storage_url, folder.study_name)
    shutil.rmtree(folder.root, ignore_errors=True)
