"""Locks a trial's folder, so that only one process at a time works in it."""

import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bearing_search.sweep.worker.context import StopFlag

_LOCK = "lock"

PREDECESSOR_WAIT_S = 120
"""Seconds that a trial waits for a killed session's process to release its folder."""


@contextmanager
def exclusive_folder(folder: Path, stop: StopFlag) -> Iterator[bool]:
    """Lock the trial's folder; yields false if the trial was asked to stop while it waited.

    A killed driver's worker may live on for some seconds and would train the same steps.

    Raises:
        TimeoutError: another process still holds the lock after PREDECESSOR_WAIT_S.
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
                    raise TimeoutError(f"{folder}: another process still holds the lock") from None
                time.sleep(0.1)
        stream.truncate(0)
        json.dump({"host": socket.gethostname(), "pid": os.getpid()}, stream)
        stream.flush()
        yield True


def kill_worker(folder: Path) -> None:
    """Kill the process that holds a trial folder's lock, if it runs on this machine."""
    try:
        owner = json.loads((folder / _LOCK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if owner["host"] == socket.gethostname():
        with suppress(ProcessLookupError):
            os.kill(owner["pid"], signal.SIGKILL)
