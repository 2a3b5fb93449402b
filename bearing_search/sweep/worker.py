"""What runs in a worker process: one trial, its stream handed to the driver as plain text.

Imports nothing heavy: the number of threads must be in the environment before torch is loaded.
"""

import fcntl
import importlib
import json
import logging
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bearing_search.config import TrialConfig, parse
from bearing_search.errors import BearingSearchError
from bearing_search.full_disk import full_disk, is_full
from bearing_search.journal import to_json
from bearing_search.measurement import Measurement, RunTrial, TrialContext
from bearing_search.observer import trial_folder
from bearing_search.sweep.node_check import Code, complaint
from bearing_search.sweep.outpost import AtHome, DepotAddress, Outpost, carried, local_root

LOG = "log.txt"
TRACEBACK = "traceback.txt"
TRIAL_STOP = "STOP"
"""In a trial's folder: this trial alone is to end (it was pruned)."""

_LOCK = "lock"
_MOUNT_IT = (
    "--results must lie on a file system that all nodes mount under the same path, or --depot must "
    "name a URL"
)
LOOK_EVERY_S = 0.2
"""How often a trial looks whether it is to stop, at most."""

ASK_EVERY_S = 5.0
"""The same, of a depot."""

PREDECESSOR_WAIT_S = 120
"""How long a trial waits for a process of a killed session to let go of its folder."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What all trials of a session share."""

    root: Path
    """The sweep's folder."""

    session: str
    """A worker whose session is over, so that its file is gone, saves its trial and ends."""

    data: Path
    cache: Path
    threads: int
    gpus: float
    shares_stages: bool
    """See `TrialContext`."""

    code: Code | None = None
    """The driver's, where trials may run on other machines."""

    depot: DepotAddress | None = None
    """Where trials keep their folders, if not in the sweep's own, which then is not looked for."""

    def complaint(self) -> str:
        """Why no trial can run where this is asked; empty: it can. See `node_check`."""
        session = f"sessions/{self.session}.json"
        if self.depot is None:
            sees: Callable[[], bool] = (self.root / session).exists
            blind = f"does not see the sweep's folder {self.root}; {_MOUNT_IT}"
        else:
            depot = self.depot.open()
            sees, blind = lambda: bool(depot.existing({session})), f"sees nothing at {depot.url}"
        return complaint(sees_session=sees, blind=blind, data=self.data, code=self.code)

    def here(self) -> "Workplace":
        """The same, with the folders in which a trial works on the machine that asks."""
        if self.depot is None:
            return self
        root = local_root(self.depot.sweep)
        # what trials of one machine prepare, they share; stages stay in the trials' own folders
        return replace(self, root=root, cache=root.parent / "cache", shares_stages=False)

    def post(self, number: int) -> Outpost | AtHome:
        """Who carries a trial's folder between its machine and the depot."""
        if self.depot is None:
            return AtHome()
        name = trial_folder(Path(), number).as_posix()
        return Outpost(self.depot.open(), self.session, name, TRIAL_STOP)


@dataclass(frozen=True, slots=True)
class ImportedTrial:
    """A RunTrial that is imported where it runs: the driver does not load torch to pass it on."""

    module: str
    function: str

    def __call__(self, config: TrialConfig, context: TrialContext) -> Iterator[Measurement]:
        """The stream of the named function."""
        run_trial: RunTrial = getattr(importlib.import_module(self.module), self.function)
        return run_trial(config, context)


class StopFlag:
    """Whether a trial is to end: asked often, answered from the disk every LOOK_EVERY_S.

    The flag is a file, not a message, so that it also reaches workers whose driver was killed.
    """

    def __init__(
        self, workplace: Workplace, number: int, post: Outpost | AtHome | None = None
    ) -> None:
        self._workplace = workplace
        self._trial_stop = trial_folder(workplace.root, number) / TRIAL_STOP
        self._post = post
        self._every_s = ASK_EVERY_S if isinstance(post, Outpost) else LOOK_EVERY_S
        self._is_set = False
        self._next_look = 0.0

    def __call__(self) -> bool:
        """True from the first time on that anybody asked this trial to stop."""
        if not self._is_set and time.monotonic() >= self._next_look:
            self._is_set = self._look()
            self._next_look = time.monotonic() + self._every_s
        return self._is_set

    def _look(self) -> bool:
        if isinstance(self._post, Outpost):
            return self._post.is_called_back()
        root = self._workplace.root
        if (root / "STOP").exists() or self._trial_stop.exists():
            return True
        return not (root / "sessions" / f"{self._workplace.session}.json").exists()


def run_assignment(
    assignment: Mapping[str, Any],
    workplace: Workplace,
    run_trial: RunTrial,
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Run one trial in its folder, handing each measurement to `report` as it is made.

    Args:
        assignment: `number`, and `config` as JSON text.
        workplace: what all trials share.
        run_trial: the trial.
        report: gets `{"measurement": text}`, or at the end of a trial that failed
            `{"failure": reason, "traceback": text, "is_final": whether it would fail again}`, and
            where a disk has no room `{"disk_full": sentence}`.
    """
    device = claim_processors(threads=workplace.threads, gpus=workplace.gpus)
    if workplace.code is not None and (reason := workplace.complaint()):
        report({"failure": reason, "traceback": ""})  # and make no folder on the wrong machine
        return
    number = int(assignment["number"])
    config = parse(TrialConfig, json.loads(assignment["config"]))
    workplace, post = workplace.here(), workplace.post(number)
    folder = trial_folder(workplace.root, number)
    folder.mkdir(parents=True, exist_ok=True)
    stop = StopFlag(workplace, number, post)
    context = TrialContext(
        data=workplace.data,
        folder=folder,
        cache=workplace.cache,
        shares_stages=workplace.shares_stages,
        device=device,
        should_stop=stop,
    )
    with _sole_owner(folder, stop) as is_owner:
        if not is_owner:
            return
        with carried(post, folder), _log_into(folder / LOG):
            for message in messages(run_trial, config, context):
                post.save(folder)
                report(message)


def messages(
    run_trial: RunTrial, config: TrialConfig, context: TrialContext
) -> Iterator[dict[str, Any]]:
    """A trial's stream as messages for the driver; a failure is the last of them, not an error.

    A full disk is no failure: the next trial would meet it, too.
    """
    (context.folder / TRACEBACK).unlink(missing_ok=True)
    try:
        for measurement in run_trial(config, context):
            yield {"measurement": to_json(measurement)}
    except Exception as error:  # the one place that marks a trial failed, whatever went wrong
        if is_full(error):
            yield {"disk_full": str(full_disk(error, context.folder))}
            return
        text = traceback.format_exc()
        logging.getLogger(__name__).error("the trial failed\n%s", text)
        (context.folder / TRACEBACK).write_text(text, encoding="utf-8")
        is_final = isinstance(error, BearingSearchError)  # it would say so again
        yield {"failure": reason_of(error), "traceback": text, "is_final": is_final}


def reason_of(error: BaseException) -> str:
    """Why, in one line: our own errors speak for themselves, others begin with their class."""
    text = " ".join(str(error).split())
    return text if isinstance(error, BearingSearchError) else f"{type(error).__name__}: {text}"


def claim_processors(*, threads: int, gpus: float) -> str:
    """Set the environment of the numeric libraries; returns the device to train on."""
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    if gpus > 0:
        return "cuda"  # the scheduler has set CUDA_VISIBLE_DEVICES
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves the GPUs visible to a trial without any
    return "cpu"


@contextmanager
def _sole_owner(folder: Path, stop: StopFlag) -> Iterator[bool]:
    """Hold the trial's folder; false where the trial was asked to stop while it waited.

    A worker of a killed driver may live for some seconds and would train the same steps.
    """
    with (folder / _LOCK).open("a") as stream:
        deadline = time.monotonic() + PREDECESSOR_WAIT_S
        while True:
            try:
                # lockf, not flock: its lock is not inherited by forked loader processes
                fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stop():
                    yield False
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{folder}: another process still works here") from None
                time.sleep(0.1)
        stream.truncate(0)
        json.dump({"host": socket.gethostname(), "pid": os.getpid()}, stream)
        stream.flush()
        yield True


def kill_worker(folder: Path) -> None:
    """End the process that works in a trial's folder, if it runs on this machine."""
    try:
        owner = json.loads((folder / _LOCK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if owner["host"] == socket.gethostname():
        with suppress(ProcessLookupError):
            os.kill(owner["pid"], signal.SIGKILL)


@contextmanager
def _log_into(file: Path) -> Iterator[None]:
    handler = logging.FileHandler(file, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
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
