"""One driver's session: stop requests, signal handling, and the files that its workers watch."""

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
    """Measures the GPU time used by the trials of a session."""

    def __init__(self) -> None:
        self.gpus_per_trial = 0.0
        self._begun: dict[int, float] = {}
        self._ended_s = 0.0

    def begin(self, trial: int) -> None:
        """Start counting a trial's share of a GPU."""
        self._begun[trial] = time.monotonic()

    def end(self, trial: int) -> None:
        """Stop counting a trial's share of a GPU."""
        self._ended_s += time.monotonic() - self._begun.pop(trial)

    @property
    def spent_s(self) -> float:
        """GPU seconds so far; half a GPU counts half."""
        running = sum(time.monotonic() - begun for begun in self._begun.values())
        return self.gpus_per_trial * (self._ended_s + running)


class StopRequest:
    """A request to end the session, with its reason. Workers see it as the sweep's STOP file."""

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
        # a driver that shares the sweep stops only its own trials, by ending its session
        self._session = _session_file(folder, drivers) if drivers and drivers.is_shared else None
        if drivers is None or not drivers.peer_names():
            self._file.unlink(missing_ok=True)
        self._deadline = None if time_budget_s is None else time.monotonic() + time_budget_s
        self._reason: StopReason = ""

    def count_gpus(self, gpus_per_trial: float) -> None:
        """Set the number of GPUs per trial.

        Raises:
            ResourceError: there is a budget of GPU hours, but trials use no GPU.
        """
        if self._gpu_budget_s is not None and not gpus_per_trial:
            raise ResourceError(
                "trials use no GPU, so a budget of GPU hours would never be spent; use "
                "--time-budget"
            )
        self.meter.gpus_per_trial = gpus_per_trial

    def request(self, reason: StopReason) -> None:
        """Ask all trials to save their state and end; later calls keep the first reason."""
        self._reason = self._reason or reason
        if self._session is not None:
            self._session.unlink(missing_ok=True)
            return
        try:
            self._file.touch()
        except OSError:  # the disk is full; deleting the session files also stops the workers
            for session in self._sessions.glob("*.json"):
                session.unlink(missing_ok=True)

    @property
    def reason(self) -> StopReason:
        """Why to stop; empty: continue. Checks the budgets, and for a STOP file made by hand."""
        if not self._reason:
            if self._deadline is not None and time.monotonic() > self._deadline:
                self.request("time budget")
            elif self._gpu_budget_s is not None and self.meter.spent_s > self._gpu_budget_s:
                self.request("GPU hours")
            elif self._file.exists():
                self._reason = "stop file"
        return self._reason


class SignalHandler:
    """Asks the trials to stop at the first SIGINT or SIGTERM, and exits at once at the second.

    Does nothing outside the main thread, since Python delivers signals only there.
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
            os._exit(128 + number)  # the orphan reaper kills this process's workers
        self._came = True
        self._stop.request("signal")


def begin_session(folder: SweepFolder, drivers: Drivers) -> str:
    """Create this driver's session file; returns the session's name.

    Sessions of dead drivers are removed, so that any workers they left behind save and end.
    """
    folder.sessions.mkdir(exist_ok=True)
    alive = drivers.peer_names()
    for file in folder.sessions.iterdir():
        if file.stem not in alive:
            file.unlink(missing_ok=True)
    write_json(_session_file(folder, drivers), {"pid": os.getpid(), "host": socket.gethostname()})
    return drivers.name


def end_session(folder: SweepFolder, drivers: Drivers) -> None:
    """Remove this driver's session file, as the session has ended and its workers with it."""
    _session_file(folder, drivers).unlink(missing_ok=True)


def _session_file(folder: SweepFolder, drivers: Drivers) -> Path:
    return folder.sessions / f"{drivers.name}.json"


def new_scratch(folder: SweepFolder) -> Path:
    """Create a numbered folder for the files that Ray Tune writes in this session."""
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
