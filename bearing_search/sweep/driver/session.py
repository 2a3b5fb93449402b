"""One driver's session: when it is to stop, what a signal does, and what its workers look at."""

import os
import signal
import socket
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from bearing_search.errors import ResourceError
from bearing_search.filesystem.atomic import write_json
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.locking.drivers import Drivers

StopReason = Literal["", "signal", "time budget", "GPU hours", "stop file", "error"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class GpuTimeMeter:
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


class StopRequest:
    """Why this session is to end, if it is. The workers see it as the sweep's STOP file."""

    def __init__(
        self,
        folder: SweepFolder,
        drivers: Drivers | None = None,
        *,
        time_budget_s: float | None = None,
        gpu_budget_s: float | None = None,
    ) -> None:
        self.meter = GpuTimeMeter()
        self._gpu_budget_s = gpu_budget_s
        self._file, self._sessions = folder.stop_file, folder.sessions
        # one of several drivers ends its own trials only, by ending its session
        self._session = _session_file(folder, drivers) if drivers and drivers.is_shared else None
        if drivers is None or not drivers.peer_names():
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
        if self._session is not None:
            self._session.unlink(missing_ok=True)
            return
        try:
            self._file.touch()
        except OSError:  # the disk is full; deleting works, and means the same to the workers
            for session in self._sessions.glob("*.json"):
                session.unlink(missing_ok=True)

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


class SignalHandler:
    """The first SIGINT or SIGTERM asks the trials to stop, the second ends everything at once.

    Outside the main thread it does nothing: Python delivers signals there only.
    """

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}
        self._came = False

    def __enter__(self) -> "SignalHandler":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in _SIGNALS}
            self.install()
        return self

    def install(self) -> None:
        """Install the signal handlers, again after `ray.init`, which replaces them."""
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


def begin_session(folder: SweepFolder, drivers: Drivers) -> str:
    """Let this driver's workers work; returns the session's name.

    The sessions of drivers that are gone end: workers that they have left behind save and end.
    """
    folder.sessions.mkdir(exist_ok=True)
    alive = drivers.peer_names()
    for file in folder.sessions.iterdir():
        if file.stem not in alive:
            file.unlink(missing_ok=True)
    write_json(_session_file(folder, drivers), {"pid": os.getpid(), "host": socket.gethostname()})
    return drivers.name


def _session_file(folder: SweepFolder, drivers: Drivers) -> Path:
    return folder.sessions / f"{drivers.name}.json"


def new_scratch(folder: SweepFolder) -> Path:
    """A numbered folder for what Ray Tune writes in this session."""
    parent = folder.root / "ray"
    parent.mkdir(exist_ok=True)
    number = len(list(parent.iterdir()))
    while True:  # another driver may take the number first
        scratch = parent / f"session-{number:03d}"
        try:
            scratch.mkdir()
        except FileExistsError:
            number += 1
            continue
        return scratch
