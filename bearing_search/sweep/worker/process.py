"""Runs one trial in a worker process, and sends its stream to the driver as plain text.

Imports nothing heavy: the number of threads must be in the environment before torch is loaded.
"""

import importlib
import json
import logging
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bearing_search.config import TrialConfig, parse
from bearing_search.errors import BearingSearchError
from bearing_search.filesystem.disk_full import disk_full_error, is_disk_full
from bearing_search.measurement import Measurement, RunTrial, TrialContext
from bearing_search.sweep.record.layout import LOG, TRACEBACK
from bearing_search.sweep.remote.worker_sync import synced
from bearing_search.sweep.worker.context import StopFlag, WorkerContext
from bearing_search.sweep.worker.trial_lock import exclusive_folder
from bearing_search.text.passwords import MaskingFormatter, masked
from bearing_search.trial_history.measurement_log import to_json
from bearing_search.trial_history.records import trial_folder

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


@dataclass(frozen=True, slots=True)
class LazyTrial:
    """A RunTrial that is imported in the worker, so that the driver need not load torch."""

    module: str
    function: str

    def __call__(self, config: TrialConfig, context: TrialContext) -> Iterator[Measurement]:
        """Import the named function and call it; returns its stream."""
        run_trial: RunTrial = getattr(importlib.import_module(self.module), self.function)
        return run_trial(config, context)


def run_payload(
    payload: Mapping[str, Any],
    worker_context: WorkerContext,
    run_trial: RunTrial,
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Run one trial in its folder, passing each measurement to `report` as it is made.

    Args:
        payload: `number`, and `config` as JSON text.
        worker_context: settings that all trials of the session share.
        run_trial: runs the trial.
        report: receives `{"measurement": text}`; if the trial fails, at the end
            `{"failure": reason, "traceback": text, "is_final": whether it would fail again}`; if a
            disk is full, `{"disk_full": sentence}`.
    """
    device = configure_device(threads=worker_context.threads, gpus=worker_context.gpus)
    if worker_context.code is not None and (reason := worker_context.incompatibility()):
        report({"failure": reason, "traceback": ""})  # and create no folder on the wrong machine
        return
    number = int(payload["number"])
    worker_context.plugin_tables.install()
    config = parse(TrialConfig, json.loads(payload["config"]))
    worker_context, folder_sync = worker_context.local(), worker_context.folder_sync(number)
    folder = trial_folder(worker_context.root, number)
    folder.mkdir(parents=True, exist_ok=True)
    stop = StopFlag(folder_sync)
    context = TrialContext(
        data=worker_context.data,
        folder=folder,
        cache=worker_context.cache,
        bits=worker_context.bits,
        objective=worker_context.objective,
        shares_stages=worker_context.shares_stages,
        device=device,
        should_stop=stop,
    )
    with exclusive_folder(folder, stop) as is_owner:
        if not is_owner:
            return
        with synced(folder_sync, folder), _log_into(folder / LOG):
            for message in trial_messages(run_trial, config, context):
                folder_sync.save(folder)
                report(message)


def trial_messages(
    run_trial: RunTrial, config: TrialConfig, context: TrialContext
) -> Iterator[dict[str, Any]]:
    """Yield a trial's stream as messages for the driver; a failure is the last one, not an error.

    A full disk is not a failure of the trial: the next one would run into it as well.
    """
    (context.folder / TRACEBACK).unlink(missing_ok=True)
    try:
        for measurement in run_trial(config, context):
            yield {"measurement": to_json(measurement)}
    except Exception as error:  # the one place where any error fails a trial
        if is_disk_full(error):
            yield {"disk_full": str(disk_full_error(error, context.folder))}
            return
        text = masked(traceback.format_exc())
        logging.getLogger(__name__).error("the trial failed\n%s", text)
        (context.folder / TRACEBACK).write_text(text, encoding="utf-8")
        is_final = isinstance(error, BearingSearchError)  # a retry would raise it again
        yield {"failure": error_summary(error), "traceback": text, "is_final": is_final}


def error_summary(error: BaseException) -> str:
    """The error's message in one line, prefixed with the class unless it is one of our errors."""
    text = masked(" ".join(str(error).split()))
    return text if isinstance(error, BearingSearchError) else f"{type(error).__name__}: {text}"


def configure_device(*, threads: int, gpus: float) -> str:
    """Set the environment variables for threads and GPUs; returns the device to train on."""
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    if gpus > 0:
        return "cuda"  # Ray has set CUDA_VISIBLE_DEVICES
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves the GPUs visible to a trial without any
    return "cpu"


@contextmanager
def _log_into(file: Path) -> Iterator[None]:
    handler = logging.FileHandler(file, encoding="utf-8", delay=True)
    handler.setFormatter(MaskingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    package = logging.getLogger("bearing_search")
    package.setLevel(logging.INFO)
    logging.captureWarnings(True)
    others = logging.getLogger("py.warnings")
    for logger in (package, others):
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in (package, others):
            logger.removeHandler(handler)
        handler.close()
