"""The driver's side of a depot: what workers must be told goes up, what they made comes down."""

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
"""Seconds between two comparisons of the driver's marks with the depot's."""

_LOG = logging.getLogger(__name__)


@runtime_checkable
class DriverSync(Protocol):
    """How the sweep's folder and those of its workers are kept equal, on the driver's side."""

    def on_start(self, number: int) -> None:
        """A trial is about to be handed to a worker."""
        ...

    def poll(self) -> None:
        """Let workers know what they must be told; call it often."""
        ...

    def pull(self, number: int) -> None:
        """Bring a trial's folder home: its worker has ended.

        Raises:
            ResourceError: it cannot be read where it is.
        """
        ...


@final
class NoSync:
    """Workers see the sweep's folder: nothing is copied."""

    def on_start(self, number: int) -> None:
        """Nothing to do."""

    def poll(self) -> None:
        """Nothing to do."""

    def pull(self, number: int) -> None:
        """It is there."""


@final
class StoreSync:
    """Keeps the sweep's marks (its STOP, sessions, trials' STOP) equal in the depot.

    Args:
        folder: of the sweep.
        depot: of the sweep.

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
        """Take back what an earlier session has told this trial."""
        self._depot.remove(_stop_name(number))
        self._live.add(number)

    def poll(self) -> None:
        """Bring the depot up to date; while it cannot be reached, warn once and try again."""
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
        """Bring a trial's folder home.

        Raises:
            ResourceError: it cannot be read. It stays where it is, and `resume` fetches it.
        """
        self._live.discard(number)
        try:
            self._depot.pull(_name(number), self._folder.trial_folder(number))
        except (OSError, ArrowException) as error:
            reason = " ".join(str(error).split())
            raise ResourceError(
                f"{self._depot.url}: trial {number} cannot be fetched: {reason}. It is kept there; "
                "`resume` goes on"
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
