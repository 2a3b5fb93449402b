"""Who may drive a sweep: the file lock of one driver, or the crew of a PostgreSQL ledger."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from bearing_search.errors import ResourceError, SweepError
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.locking.drivers import (
    Drivers,
    SharedDriver,
    SingleDriver,
    can_be_shared,
    drivers_of,
)
from bearing_search.sweep.record.session_options import SessionOptions

_LOCK_PATIENCE_S = 2.0


@contextmanager
def acquire(folder: SweepFolder, *, join: bool = False) -> Iterator[Drivers]:
    """Hold the sweep: a second driver that knows nothing of the first would issue its trials twice.

    Args:
        folder: of the sweep.
        join: drive it together with those that do already.

    Raises:
        SweepError: another process holds it; says which, and since when. Or it cannot be shared.
        ResourceError: the folder cannot be written.
    """
    if can_be_shared(folder):
        with closing(SharedDriver(folder, may_join=join)) as crew:
            yield crew
    elif join:
        raise SweepError(
            f"{folder.record.name}: only a sweep that began with --storage postgresql://... can be "
            "driven by several processes; its ledger is a file"
        )
    else:
        with _file_lock(folder):
            yield SingleDriver()


@contextmanager
def _file_lock(folder: SweepFolder) -> Iterator[None]:
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
                    f"{folder.record.name}: held by {current_driver(folder) or 'another process'}; "
                    "one driver at a time. Stop that one, or wait for its end"
                ) from None
            time.sleep(0.05)


def current_driver(folder: SweepFolder) -> str:
    """Which process drives the sweep: `process 12 on host, since ...`; empty: none.

    Raises:
        SweepError: the ledger is on a server that cannot be used.
    """
    if can_be_shared(folder):
        return drivers_of(folder)
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


def join_sweep(folder: SweepFolder, options: SessionOptions) -> SweepFolder:
    """The sweep for one more driver, with resources of its own; sweep.json stays.

    Raises:
        SweepError: another target or other seeds were asked for.
    """
    record = folder.record
    if options.target not in (None, record.target) or options.seeds not in (None, record.seeds):
        raise SweepError(
            f"{record.name}: `--join` cannot change target or seeds; run `resume` without it once "
            "no other driver is active"
        )
    return folder.with_unsaved(replace(record, resources=options.resources or record.resources))
