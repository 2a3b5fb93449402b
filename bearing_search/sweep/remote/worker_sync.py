"""The worker's side of a depot: a trial's folder on a machine without the sweep's folder.

The trial works in a local folder. Its newest version is fetched before, and uploaded periodically
and at the end. A worker that was cut off and reconnects finds another owner's marker; it ends
without uploading anything.
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
"""Fraction of a trial's time that uploads may take, apart from the first and the last one."""

LOOK_EVERY_S = 0.2
"""Minimum seconds between two checks whether a trial is to stop."""

ASK_EVERY_S = 5.0
"""The same for a depot."""

LEAST_PAUSE_S = 1.0
_LOCK = "lock"


class StoreAddress(NamedTuple):
    """Address of a sweep's depot, which opens nothing and is cheap to pickle."""

    url: str
    sweep: str

    def open(self) -> FolderStore:
        """Open the sweep's depot."""
        return FolderStore(self.url, self.sweep)


@runtime_checkable
class WorkerSync(Protocol):
    """Synchronises one trial's folder with the sweep's, on the worker's side."""

    @property
    def ask_every_s(self) -> float:
        """Minimum seconds between two calls of `is_stop_requested`."""
        ...

    def is_stop_requested(self) -> bool:
        """Whether the trial is to stop: the driver requested it, or its session is over."""
        ...

    def pull(self, folder: Path) -> None:
        """Fetch the trial's newest version into its local folder."""
        ...

    def save(self, folder: Path) -> None:
        """Upload what is new, if the last upload was long enough ago."""
        ...

    def push(self, folder: Path) -> None:
        """Upload what is new."""
        ...

    def clear(self, folder: Path) -> None:
        """Remove local files that are no longer needed, after the final upload."""
        ...


@final
class LocalFolder:
    """For a worker that shares the sweep's folder: nothing to copy; checks the driver's files.

    Args:
        root: folder of the sweep.
        session: the driver's session; when its file is removed, the worker saves and ends.
        number: number of the trial.
    """

    def __init__(self, root: Path, session: str, number: int) -> None:
        self._stops = (root / "STOP", trial_folder(root, number) / TRIAL_STOP)
        self._session = root / "sessions" / f"{session}.json"

    @property
    def ask_every_s(self) -> float:
        """Short: checking the disk is cheap."""
        return LOOK_EVERY_S

    def is_stop_requested(self) -> bool:
        """Whether the trial is to stop."""
        return any(stop.exists() for stop in self._stops) or not self._session.exists()

    def pull(self, folder: Path) -> None:
        """Do nothing."""

    def save(self, folder: Path) -> None:
        """Do nothing."""

    def push(self, folder: Path) -> None:
        """Do nothing."""

    def clear(self, folder: Path) -> None:
        """Do nothing: the folder belongs to the sweep."""


@final
class RemoteFolder:
    """For a worker without the sweep's folder: the trial's folder is stored in a depot.

    Args:
        depot: depot of the sweep.
        session: the driver's session; when its marker is removed, the worker saves and ends.
        number: number of the trial.
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
        """Long: every check is a request to the store."""
        return ASK_EVERY_S

    def is_stop_requested(self) -> bool:
        """Whether the trial is to stop here; false while the depot cannot be reached."""
        try:
            there = self._depot.existing({*self._stops, self._session})
            return bool(there & self._stops) or self._session not in there or not self._is_owner()
        except (OSError, ArrowException):
            return False  # keep computing; only the final upload may fail

    def pull(self, folder: Path) -> None:
        """Become the trial's owner, and replace the folder's content by the newest version."""
        self._depot.write(self._owner, self._token)
        remove_local(folder)
        self._depot.pull(self._trial, folder)

    def save(self, folder: Path) -> None:
        """Upload what is new, if the last upload was long enough ago."""
        began = time.monotonic()
        if began < self._next_save:
            return
        self.push(folder)
        took = time.monotonic() - began
        self._next_save = began + max(LEAST_PAUSE_S, took / SHARE)

    def push(self, folder: Path) -> None:
        """Upload what is new, unless the trial has another owner by now."""
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
    """Fetch a trial's folder on entry, and upload and clear it on exit, even after an error."""
    folder_sync.pull(folder)
    try:
        yield
    finally:
        folder_sync.push(folder)
        folder_sync.clear(folder)


def remove_local(folder: Path) -> None:
    """Remove everything in a folder except its lock."""
    for file in folder.iterdir():
        if file.is_dir():
            shutil.rmtree(file)
        elif file.name != _LOCK:
            file.unlink()


def local_root(sweep: str) -> Path:
    """Folder of a sweep's trials on this machine: under TMPDIR, accessible only to this user.

    Raises:
        ResourceError: the folder in TMPDIR belongs to another user.
    """
    home = Path(tempfile.gettempdir()) / f"bearing_search-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_uid != os.getuid() or home.is_symlink():
        raise ResourceError(f"{home}: belongs to another user; set TMPDIR to another folder")
    return home / sweep
