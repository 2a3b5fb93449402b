"""What all trials of a session share, and how one learns that it is to stop."""

import time
from collections.abc import Callable
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
    "--results must lie on a file system that all nodes mount under the same path, or --depot must "
    "name a URL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """What all trials of a session share."""

    root: Path
    """The sweep's folder."""

    session: str
    """A worker whose session is over, so that its file is gone, saves its trial and ends."""

    data: Path
    cache: Path
    threads: int
    gpus: float
    shares_stages: bool
    """See `TrialContext`."""

    code: CodeVersion | None = None
    """The driver's, where trials may run on other machines."""

    plugin_tables: PluginTables = field(default_factory=plugin_tables)
    """The driver's, which a worker takes over before it reads a config."""

    depot: StoreAddress | None = None
    """Where trials keep their folders, if not in the sweep's own, which then is not looked for."""

    def incompatibility(self) -> str:
        """Why no trial can run where this is asked; empty: it can. See `node_check`."""
        session = f"sessions/{self.session}.json"
        if self.depot is None:
            sees: Callable[[], bool] = (self.root / session).exists
            blind = f"does not see the sweep's folder {self.root}; {_MOUNT_HINT}"
        else:
            depot = self.depot.open()
            sees, blind = lambda: bool(depot.existing({session})), f"sees nothing at {depot.url}"
        return node_incompatibility(sees_session=sees, blind=blind, data=self.data, code=self.code)

    def local(self) -> "WorkerContext":
        """The same, with the folders in which a trial works on the machine that asks."""
        if self.depot is None:
            return self
        root = local_root(self.depot.sweep)
        # what trials of one machine prepare, they share; stages stay in the trials' own folders
        return replace(self, root=root, cache=root.parent / "cache", shares_stages=False)

    def folder_sync(self, number: int) -> WorkerSync:
        """What keeps a trial's folder and the sweep's equal."""
        if self.depot is None:
            return LocalFolder(self.root, self.session, number)
        return RemoteFolder(self.depot.open(), self.session, number)


class StopFlag:
    """Whether a trial is to end: asked often, answered anew only now and then.

    The flag is a file, not a message, so that it also reaches workers whose driver was killed.

    Args:
        folder_sync: of the trial; it is asked every `ask_every_s` at most.
    """

    def __init__(self, folder_sync: WorkerSync) -> None:
        self._folder_sync = folder_sync
        self._is_set = False
        self._next_look = 0.0

    def __call__(self) -> bool:
        """True from the first time on that anybody asked this trial to stop."""
        if not self._is_set and time.monotonic() >= self._next_look:
            self._is_set = self._folder_sync.is_stop_requested()
            self._next_look = time.monotonic() + self._folder_sync.ask_every_s
        return self._is_set
