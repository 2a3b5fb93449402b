"""The driver's side of a depot: uploads markers for the workers, downloads finished trials."""

import logging
import time
from pathlib import Path
from typing import Protocol, final, runtime_checkable

from pyarrow import ArrowException

from bearing_search.errors import ResourceError
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.record.layout import TRIAL_STOP
from bearing_search.sweep.remote.object_store import FolderStore
from bearing_search.trial_history.records import trial_folder

POLL_EVERY_S = 2.0
"""Seconds between two comparisons of the driver's markers with the depot's."""

_LOG = logging.getLogger(__name__)


@runtime_checkable
class DriverSync(Protocol):
    """Synchronises the sweep's folder with those of its workers, on the driver's side."""

    def on_start(self, number: int) -> None:
        """Called before a trial is given to a worker."""
        ...

    def poll(self) -> None:
        """Publish changed markers to the workers; to be called often."""
        ...

    def pull(self, number: int) -> None:
        """Fetch a trial's folder into the sweep's folder, after its worker has ended.

        Raises:
            ResourceError: the folder cannot be read.
        """
        ...


@final
class NoSync:
    """For workers that share the sweep's folder: nothing to copy."""

    def on_start(self, number: int) -> None:
        """Do nothing."""

    def poll(self) -> None:
        """Do nothing."""

    def pull(self, number: int) -> None:
        """Do nothing: the folder is already there."""


@final
class StoreSync:
    """Mirrors the sweep's markers (its STOP, sessions, the trials' STOP) in the depot.

    Args:
        folder: folder of the sweep.
        depot: depot of the sweep.

    Raises:
        ResourceError: the depot cannot be used.
    """

    def __init__(self, folder: SweepFolder, depot: FolderStore) -> None:
        depot.check()
        self._folder = folder
        self._depot = depot
        self._live: set[int] = set()
        self._there = depot.names("sessions") | depot.existing({"STOP"})
        self._next = 0.0
        self._is_silent = False
        self._publish()

    def on_start(self, number: int) -> None:
        """Remove the trial's STOP marker from an earlier session."""
        self._depot.remove(_stop_name(number))
        self._live.add(number)

    def poll(self) -> None:
        """Update the markers in the depot; if it cannot be reached, warn once and keep trying."""
        if time.monotonic() < self._next:
            return
        try:
            self._publish()
            self._is_silent = False
        except (OSError, ArrowException) as error:
            if not self._is_silent:
                _LOG.warning("the depot %s cannot be reached: %s", self._depot.url, error)
            self._is_silent = True
        self._next = time.monotonic() + POLL_EVERY_S

    def pull(self, number: int) -> None:
        """Fetch a trial's folder into the sweep's folder.

        Raises:
            ResourceError: it cannot be read. It stays in the depot, and `resume` fetches it.
        """
        self._live.discard(number)
        try:
            self._depot.pull(_name(number), self._folder.trial_folder(number))
        except (OSError, ArrowException) as error:
            reason = " ".join(str(error).split())
            raise ResourceError(
                f"{self._depot.url}: trial {number} cannot be fetched: {reason}. Its folder "
                "remains there; run `resume` to continue"
            ) from None

    def _publish(self) -> None:
        root = self._folder.root
        wanted = {f"sessions/{file.name}" for file in self._folder.sessions.glob("*.json")}
        wanted |= {"STOP"} if self._folder.stop_file.exists() else set()
        wanted |= {_stop_name(n) for n in self._live if (root / _stop_name(n)).exists()}
        for name in wanted - self._there:
            self._depot.write(name)
        for name in self._there - wanted:
            self._depot.remove(name)
        self._there = wanted


def _name(number: int) -> str:
    return trial_folder(Path(), number).as_posix()


def _stop_name(number: int) -> str:
    return f"{_name(number)}/{TRIAL_STOP}"
