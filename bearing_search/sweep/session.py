"""One driver at a time: the sweep's lock, its stop flag, and what a signal does."""

import fcntl
import json
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from bearing_search.errors import ResourceError, SweepError
from bearing_search.sweep.folder import SweepFolder, write_json

StopReason = Literal["", "signal", "time budget", "GPU hours", "stop file", "error"]

_LOCK_PATIENCE_S = 2.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def hold(folder: SweepFolder) -> Iterator[None]:
    """Hold the sweep's lock: while one driver runs, a second would issue its trials twice.

    Raises:
        SweepError: another process holds it; says which, and since when.
        ResourceError: the folder cannot be written.
    """
    file = folder.root / "lock"
    try:
        stream = file.open("a+", encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"{file}: cannot be written ({error.strerror})") from None
    with stream:
        _lock(stream.fileno(), folder)
        stream.truncate(0)
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        json.dump({"host": socket.gethostname(), "pid": os.getpid(), "since": since}, stream)
        stream.flush()
        yield
        stream.truncate(0)


def _lock(descriptor: int, folder: SweepFolder) -> None:
    # patient: `status` takes the lock for an instant, to see whether anybody holds it
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SweepError(
                    f"{folder.record.name}: held by {holder(folder) or 'another process'}; "
                    "one driver at a time. Stop that one, or wait for its end"
                ) from None
            time.sleep(0.05)


def holder(folder: SweepFolder) -> str:
    """Which process drives the sweep: `process 12 on host, since ...`; empty: none."""
    file = folder.root / "lock"
    try:
        stream = file.open(encoding="utf-8")
    except OSError:
        return ""
    with stream:
        try:
            fcntl.flock(stream.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
            return ""
        except BlockingIOError:
            pass
        try:
            who: dict[str, Any] = json.load(stream)
        except ValueError:
            return "a process that has just begun"
    return f"process {who['pid']} on {who['host']}, since {who['since']}"


class GpuMeter:
    """How long the trials of a session have held GPUs, in all."""

    def __init__(self) -> None:
        self.gpus_per_trial = 0.0
        self._begun: dict[int, float] = {}
        self._ended_s = 0.0

    def begin(self, trial: int) -> None:
        """A trial holds its share from now on."""
        self._begun[trial] = time.monotonic()

    def end(self, trial: int) -> None:
        """It has let go of it."""
        self._ended_s += time.monotonic() - self._begun.pop(trial)

    @property
    def spent_s(self) -> float:
        """GPU seconds so far; a share of a GPU counts as that share."""
        running = sum(time.monotonic() - begun for begun in self._begun.values())
        return self.gpus_per_trial * (self._ended_s + running)


class Stop:
    """Why this session is to end, if it is. The workers see it as the sweep's STOP file."""

    def __init__(
        self,
        folder: SweepFolder,
        *,
        time_budget_s: float | None = None,
        gpu_budget_s: float | None = None,
    ) -> None:
        self.meter = GpuMeter()
        self._gpu_budget_s = gpu_budget_s
        self._file = folder.stop_file
        self._file.unlink(missing_ok=True)
        self._deadline = None if time_budget_s is None else time.monotonic() + time_budget_s
        self._reason: StopReason = ""

    def count_gpus(self, gpus_per_trial: float) -> None:
        """Say what each trial holds.

        Raises:
            ResourceError: there is a budget of GPU hours, and no trial holds a GPU.
        """
        if self._gpu_budget_s is not None and not gpus_per_trial:
            raise ResourceError(
                "no trial holds a GPU, so that a budget of GPU hours would never be spent; use "
                "--time-budget"
            )
        self.meter.gpus_per_trial = gpus_per_trial

    def request(self, reason: StopReason) -> None:
        """Ask all trials to save their state and end; the first reason stays."""
        self._reason = self._reason or reason
        self._file.touch()

    @property
    def reason(self) -> StopReason:
        """Why; empty: go on. Looks at the clock, the meter, and for a STOP file made by hand."""
        if not self._reason:
            if self._deadline is not None and time.monotonic() > self._deadline:
                self.request("time budget")
            elif self._gpu_budget_s is not None and self.meter.spent_s > self._gpu_budget_s:
                self.request("GPU hours")
            elif self._file.exists():
                self._reason = "stop file"
        return self._reason


class Signals:
    """The first SIGINT or SIGTERM asks the trials to stop, the second ends everything at once.

    Outside the main thread it does nothing: Python delivers signals there only.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}
        self._came = False

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in _SIGNALS}
            self.install()
        return self

    def install(self) -> None:
        """Take the signals, again: `ray.init` puts a handler of its own in the way."""
        for number in self._before:
            signal.signal(number, self._handle)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._came:
            os._exit(128 + number)  # the watchdog kills what this process has started
        self._came = True
        self._stop.request("signal")


def begin_session(folder: SweepFolder) -> str:
    """Make this process's session the owner of the sweep's trials; returns its name.

    Workers that an older session has left behind see another name, save and end.
    """
    session = uuid.uuid4().hex[:12]
    write_json(folder.session_file, {"id": session, "pid": os.getpid()})
    return session


def new_scratch(folder: SweepFolder) -> Path:
    """A numbered folder for what Ray Tune writes in this session."""
    parent = folder.root / "ray"
    parent.mkdir(exist_ok=True)
    return parent / f"session-{len(list(parent.iterdir())):03d}"
