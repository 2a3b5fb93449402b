"""The worker's side of a depot: a trial's folder on a machine that does not see the sweep's own.

The trial works in a folder of its machine. Its newest version is fetched before, sent now and then,
and at the end. A worker that was cut off and comes back finds another owner's mark: it ends, and
sends nothing.
"""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, final, runtime_checkable

from pyarrow import ArrowException

from bearing_search.errors import ResourceError
from bearing_search.sweep.record.layout import TRIAL_STOP
from bearing_search.sweep.remote.object_store import FolderStore
from bearing_search.trial_history.records import trial_folder

SHARE = 0.05
"""Sending may take this share of a trial's time, but for its first and last time."""

LOOK_EVERY_S = 0.2
"""How often a trial looks whether it is to stop, at most."""

ASK_EVERY_S = 5.0
"""The same, of a depot."""

LEAST_PAUSE_S = 1.0
_LOCK = "lock"


class StoreAddress(NamedTuple):
    """Where a sweep's depot is. Cheap to hand on: nothing is opened."""

    url: str
    sweep: str

    def open(self) -> FolderStore:
        """The sweep's depot."""
        return FolderStore(self.url, self.sweep)


@runtime_checkable
class WorkerSync(Protocol):
    """How one trial's folder and the sweep's are kept equal, on the worker's side."""

    @property
    def ask_every_s(self) -> float:
        """How often to ask whether the trial is to stop, at most."""
        ...

    def is_stop_requested(self) -> bool:
        """Whether the trial is to end: the driver says so, or its session is over."""
        ...

    def pull(self, folder: Path) -> None:
        """Put the trial's newest version into the folder in which it works."""
        ...

    def save(self, folder: Path) -> None:
        """Send what is new, if it is time to."""
        ...

    def push(self, folder: Path) -> None:
        """Send what is new."""
        ...

    def clear(self, folder: Path) -> None:
        """The trial has ended here and was sent: remove what is no longer needed here."""
        ...


@final
class LocalFolder:
    """The worker sees the sweep's folder: nothing is copied, and the driver's files are looked at.

    Args:
        root: the sweep's folder.
        session: the driver's; when its file is gone, the worker saves its trial and ends.
        number: of the trial.
    """

    def __init__(self, root: Path, session: str, number: int) -> None:
        self._stops = (root / "STOP", trial_folder(root, number) / TRIAL_STOP)
        self._session = root / "sessions" / f"{session}.json"

    @property
    def ask_every_s(self) -> float:
        """A look at the disk costs little."""
        return LOOK_EVERY_S

    def is_stop_requested(self) -> bool:
        """Whether the trial is to end."""
        return any(stop.exists() for stop in self._stops) or not self._session.exists()

    def pull(self, folder: Path) -> None:
        """It is there."""

    def save(self, folder: Path) -> None:
        """It is there."""

    def push(self, folder: Path) -> None:
        """It is there."""

    def clear(self, folder: Path) -> None:
        """It stays: it is the sweep's own."""


@final
class RemoteFolder:
    """One worker's hold of one trial, whose folder is kept in a depot.

    Args:
        depot: of the sweep.
        session: the driver's; when its mark is gone, the worker saves its trial and ends.
        number: of the trial.
    """

    def __init__(self, depot: FolderStore, session: str, number: int) -> None:
        self._depot = depot
        self._trial = trial_folder(Path(), number).as_posix()
        self._token = secrets.token_hex(8)
        self._session = f"sessions/{session}.json"
        self._stops = {"STOP", f"{self._trial}/{TRIAL_STOP}"}
        self._next_save = 0.0

    @property
    def ask_every_s(self) -> float:
        """Every question is a request to the store."""
        return ASK_EVERY_S

    def is_stop_requested(self) -> bool:
        """Whether the trial is to end here; false while the depot cannot be reached."""
        try:
            there = self._depot.existing({*self._stops, self._session})
            return bool(there & self._stops) or self._session not in there or not self._is_owner()
        except (OSError, ArrowException):
            return False  # it computes on; what cannot be sent in the end fails then

    def pull(self, folder: Path) -> None:
        """Become the trial's owner, and put its newest version into the folder, alone."""
        self._depot.write(self._owner, self._token)
        remove_local(folder)
        self._depot.pull(self._trial, folder)

    def save(self, folder: Path) -> None:
        """Send what is new, if it is time to."""
        began = time.monotonic()
        if began < self._next_save:
            return
        self.push(folder)
        took = time.monotonic() - began
        self._next_save = began + max(LEAST_PAUSE_S, took / SHARE)

    def push(self, folder: Path) -> None:
        """Send what is new, unless the trial has another owner now."""
        if self._is_owner():
            self._depot.push(folder, self._trial, but={_LOCK})

    def clear(self, folder: Path) -> None:
        """Remove the trial from this machine."""
        remove_local(folder)

    @property
    def _owner(self) -> str:
        return f"{self._trial}/owner"

    def _is_owner(self) -> bool:
        return self._depot.read(self._owner) == self._token


@contextmanager
def synced(folder_sync: WorkerSync, folder: Path) -> Iterator[None]:
    """A trial's folder as its last worker left it; sent back in the end, whatever happens."""
    folder_sync.pull(folder)
    try:
        yield
    finally:
        folder_sync.push(folder)
        folder_sync.clear(folder)


def remove_local(folder: Path) -> None:
    """Remove what a folder holds, but the lock on it."""
    for file in folder.iterdir():
        if file.is_dir():
            shutil.rmtree(file)
        elif file.name != _LOCK:
            file.unlink()


def local_root(sweep: str) -> Path:
    """Where this machine's trials of a sweep work: below TMPDIR, seen by this user only.

    Raises:
        ResourceError: somebody else was there first.
    """
    home = Path(tempfile.gettempdir()) / f"bearing_search-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_uid != os.getuid() or home.is_symlink():
        raise ResourceError(f"{home}: belongs to somebody else; set TMPDIR to another folder")
    return home / sweep
