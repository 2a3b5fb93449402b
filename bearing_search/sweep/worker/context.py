"""Settings that all trials of a session share, and the flag that asks one to stop."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bearing_search.sweep.remote.worker_sync import (
    LocalFolder,
    RemoteFolder,
    StoreAddress,
    WorkerSync,
    local_root,
)
from bearing_search.sweep.worker.node_check import CodeVersion, node_incompatibility
from bearing_search.sweep.worker.plugin_tables import PluginTables, plugin_tables

_MOUNT_HINT = (
    "--results must be on a file system that all nodes mount under the same path, or --depot must "
    "name a URL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """Settings that all trials of a session share."""

    root: Path
    """The sweep's folder."""

    session: str
    """Name of the session; when its file is removed, its workers save their trials and end."""

    data: Path
    cache: Path
    threads: int
    gpus: float
    shares_stages: bool
    """See `TrialContext`."""

    bits: Mapping[str, int] = field(default_factory=dict)
    """See `TrialContext`."""

    objective: str = ""
    """See `TrialContext`."""

    code: CodeVersion | None = None
    """The driver's code version, if trials may run on other machines; else None."""

    plugin_tables: PluginTables = field(default_factory=plugin_tables)
    """The driver's tables, which a worker installs before it parses a config."""

    depot: StoreAddress | None = None
    """Depot that holds the trials' folders; None: they are in the sweep's folder."""

    def incompatibility(self) -> str:
        """Why this machine cannot run trials; empty: it can. See `node_check`."""
        session = f"sessions/{self.session}.json"
        if self.depot is None:
            sees: Callable[[], bool] = (self.root / session).exists
            blind = f"cannot find the sweep's folder {self.root}; {_MOUNT_HINT}"
        else:
            depot = self.depot.open()
            sees, blind = lambda: bool(depot.existing({session})), f"finds nothing at {depot.url}"
        return node_incompatibility(sees_session=sees, blind=blind, data=self.data, code=self.code)

    def local(self) -> "WorkerContext":
        """Copy of the context with the folders in which a trial works on this machine."""
        if self.depot is None:
            return self
        root = local_root(self.depot.sweep)
        # trials on one machine share prepared images; stages stay in the trials' own folders
        return replace(self, root=root, cache=root.parent / "cache", shares_stages=False)

    def folder_sync(self, number: int) -> WorkerSync:
        """The object that synchronises a trial's folder with the sweep's."""
        if self.depot is None:
            return LocalFolder(self.root, self.session, number)
        return RemoteFolder(self.depot.open(), self.session, number)


class StopFlag:
    """Whether a trial is to stop; cheap to call, since the file is checked only periodically.

    The flag is a file, not a message, so that it also reaches workers whose driver was killed.

    Args:
        folder_sync: sync of the trial, checked at most every `ask_every_s` seconds.
    """

    def __init__(self, folder_sync: WorkerSync) -> None:
        self._folder_sync = folder_sync
        self._is_set = False
        self._next_look = 0.0

    def __call__(self) -> bool:
        """Return whether a stop was requested; stays true from then on."""
        if not self._is_set and time.monotonic() >= self._next_look:
            self._is_set = self._folder_sync.is_stop_requested()
            self._next_look = time.monotonic() + self._folder_sync.ask_every_s
        return self._is_set
