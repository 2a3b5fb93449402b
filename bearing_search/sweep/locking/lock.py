"""Acquires a sweep: by a file lock for a single driver, or by joining a PostgreSQL ledger."""

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

import psutil

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
    """Hold the sweep's lock; without it, a second driver would issue the same trials again.

    Args:
        folder: folder of the sweep.
        join: whether to share the sweep with drivers that are already active.

    Raises:
        SweepError: another process holds the sweep (names it), or the sweep cannot be shared.
        ResourceError: the folder cannot be written.
    """
    if can_be_shared(folder):
        with closing(SharedDriver(folder, may_join=join)) as crew:
            yield crew
    elif join:
        raise SweepError(
            f"{folder.record.name}: its ledger is a file; only a sweep that was created with "
            "--storage postgresql://... can be driven by several processes"
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
        if driver := _session_without_lock(folder):
            raise SweepError(
                f"{folder.record.name}: held by {driver}, though its lock file was deleted; only "
                "one driver at a time. Stop that process, or wait until it ends"
            )
        stream.truncate(0)
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        json.dump({"host": socket.gethostname(), "pid": os.getpid(), "since": since}, stream)
        stream.flush()
        yield
        stream.truncate(0)


def _lock(descriptor: int, folder: SweepFolder) -> None:
    # retry: `status` takes the lock for a moment to see whether it is held
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SweepError(
                    f"{folder.record.name}: held by {current_driver(folder) or 'another process'}; "
                    "only one driver at a time. Stop that process, or wait until it ends"
                ) from None
            time.sleep(0.05)


def _session_without_lock(folder: SweepFolder) -> str:
    """A process of this host that still runs a session of the sweep; empty: none.

    A session file outlives its driver only if that was killed; its number may then belong to a
    younger process.
    """
    for file in folder.sessions.glob("*.json"):
        try:
            session = json.loads(file.read_text(encoding="utf-8"))
            begun = file.stat().st_mtime
            is_driver = psutil.Process(session["pid"]).create_time() <= begun
        except (OSError, ValueError, TypeError, KeyError, psutil.NoSuchProcess):
            continue
        if is_driver and session["host"] == socket.gethostname() and session["pid"] != os.getpid():
            return f"process {session['pid']} on {session['host']}"
    return ""


def current_driver(folder: SweepFolder) -> str:
    """The process that drives the sweep, as `process 12 on host, since ...`; empty: none.

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
            return "a process that has just started"
    return f"process {who['pid']} on {who['host']}, since {who['since']}"


def join_sweep(folder: SweepFolder, options: SessionOptions) -> SweepFolder:
    """The sweep as seen by an additional driver with its own resources; sweep.json is unchanged.

    Raises:
        SweepError: the options change the target or the seeds.
    """
    record = folder.record
    if options.target not in (None, record.target) or options.seeds not in (None, record.seeds):
        raise SweepError(
            f"{record.name}: `--join` cannot change target or seeds; run `resume` without it once "
            "no other driver is active"
        )
    return folder.with_unsaved(replace(record, resources=options.resources or record.resources))
