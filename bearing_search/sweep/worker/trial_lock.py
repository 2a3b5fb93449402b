"""One process at a time works in a trial's folder."""

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
"""How long a trial waits for a process of a killed session to let go of its folder."""


@contextmanager
def exclusive_folder(folder: Path, stop: StopFlag) -> Iterator[bool]:
    """Hold the trial's folder; false where the trial was asked to stop while it waited.

    A worker of a killed driver may live for some seconds and would train the same steps.

    Raises:
        TimeoutError: another process has worked there for too long.
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
