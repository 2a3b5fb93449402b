"""Contents of a cache, and eviction when it exceeds its size limit. No torch."""

import fcntl
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from bearing_search.errors import DiskFullError
from bearing_search.filesystem.disk_full import is_disk_full
from bearing_search.stage_cache.client import is_dead, pinned_by_the_living
from bearing_search.stage_cache.entry import (
    DONE,
    FREE,
    USERS,
    content_folder,
    owner_of,
    read_manifest,
    read_users,
)

STALE_S = 60.0
"""Seconds without a heartbeat after which a client counts as dead."""

QUARANTINE = "quarantine"
_OWN_FOLDERS = {"holders", QUARANTINE, "staging", "trash"}

T = TypeVar("T")
State = Literal["done", "in work", "stopped", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryInfo:
    """Summary of an entry for listing and eviction."""

    home: Path
    state: State
    bytes: int
    last_used: float
    """Seconds since 1970."""

    users: tuple[str, ...]
    computed_s: float
    """0 unless it is done."""

    title: str
    is_pinned: bool
    """Whether a live process needs it."""

    @property
    def name(self) -> str:
        """`stage/digest`."""
        return f"{self.home.parent.name}/{self.home.name}"

    @property
    def stage(self) -> str:
        """Name of its stage."""
        return self.home.parent.name

    @property
    def saved_s(self) -> float:
        """Compute time saved by all trials after the first."""
        return self.computed_s * max(0, len(self.users) - 1)

    @property
    def is_free(self) -> bool:
        """Whether it may be deleted now."""
        return self.state != "in work" and not self.is_pinned


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the cache's lock, briefly: no other client can pin, claim or delete entries."""
    with (root / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def list_entries(root: Path, *, stale_s: float = STALE_S) -> list[EntryInfo]:
    """All entries, least recently used first. Entries that vanish in the meantime are skipped."""
    is_pinned = pinned_by_the_living(root, stale_s=stale_s)
    homes = [
        home
        for shelf in root.iterdir()
        if shelf.is_dir() and shelf.name not in _OWN_FOLDERS
        for home in shelf.iterdir()
    ]
    found = []
    for home in homes:
        try:
            found.append(_entry_info(root, home, is_pinned, stale_s))
        except FileNotFoundError:
            continue
    return sorted(found, key=lambda entry_info: (entry_info.last_used, entry_info.name))


def entries_to_evict(
    entries: Sequence[EntryInfo], *, excess: int, keep: Callable[[EntryInfo], bool]
) -> list[EntryInfo]:
    """Entries to delete to free `excess` bytes, in order; may free less if there are too few.

    Damaged entries come first, then outputs by least recent use, then stopped work, from which
    `resume` continues. Work in progress, pinned entries and those that `keep` selects are never
    deleted.
    """
    order: dict[State, int] = {"broken": 0, "done": 1, "stopped": 2, "in work": 3}
    candidates = [o for o in entries if o.is_free and not keep(o)]
    chosen: list[EntryInfo] = []
    for entry_info in sorted(candidates, key=lambda o: (order[o.state], o.last_used, o.name)):
        if excess <= 0:
            break
        chosen.append(entry_info)
        excess -= entry_info.bytes
    return chosen


def evict(
    root: Path,
    *,
    max_bytes: int,
    keep: Callable[[EntryInfo], bool] = lambda _: False,
    stale_s: float = STALE_S,
) -> list[EntryInfo]:
    """Delete entries until the cache fits into `max_bytes`; returns the deleted ones.

    The quarantine is emptied first.
    """
    if tree_bytes(root) <= max_bytes:
        return []  # without reading a manifest or taking the lock
    with locked(root):
        entries = list_entries(root, stale_s=stale_s)
        excess = sum(o.bytes for o in entries) - max_bytes
        if excess + tree_bytes(root / QUARANTINE) > 0:
            discard(root, root / QUARANTINE)
        chosen = entries_to_evict(entries, excess=excess, keep=keep)
        for entry_info in chosen:
            discard(root, entry_info.home)
    empty_trash(root, stale_s=stale_s)
    for entry_info in chosen:
        logging.getLogger(__name__).info("deleted %s, %d bytes", entry_info.name, entry_info.bytes)
    return chosen


def with_room(root: Path, write: Callable[[], T], *, stale_s: float = STALE_S) -> T:
    """Call `write`; while the disk is full, evict entries and retry.

    Raises:
        DiskFullError: the disk is full and nothing can be deleted.
    """
    while True:
        try:
            return write()
        except OSError as error:
            if not is_disk_full(error):
                raise
        held = tree_bytes(root)
        if not evict(root, max_bytes=held // 2, stale_s=stale_s):
            raise DiskFullError(
                f"{root}: the disk is full, and none of the {held / 1e9:.1f} GB of shared stages "
                "can be deleted because running trials need them. Free some space."
            )


def tree_bytes(folder: Path) -> int:
    """Total size of all files below a folder, possibly without some that vanish meanwhile."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(path, name).stat().st_size
    return total


def quarantine(root: Path, home: Path) -> Path:
    """Move a damaged entry to the quarantine for inspection; returns its new path."""
    target = root / QUARANTINE / f"{home.parent.name}-{home.name}-{uuid.uuid4().hex[:6]}"
    target.parent.mkdir(exist_ok=True)
    return home.rename(target)


def empty_trash(root: Path, *, stale_s: float = STALE_S) -> None:
    """Delete discarded folders and leftovers of dead processes."""
    for folder in (root / "trash").glob("*"):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (root / "staging").glob("work.*"):
        with suppress(ValueError):  # a name that we did not give
            if is_dead(root, owner_of(folder), stale_s=stale_s):
                shutil.rmtree(folder, ignore_errors=True)


def discard(root: Path, path: Path) -> None:
    """Move to the trash atomically; the slow deletion follows without the lock."""
    trash = root / "trash"
    trash.mkdir(exist_ok=True)
    if path.exists():
        path.rename(trash / uuid.uuid4().hex)


def _entry_info(
    root: Path, home: Path, is_pinned: Callable[[str], bool], stale_s: float
) -> EntryInfo:
    state, computed_s, title = _state(root, home, stale_s)
    users = home / USERS
    return EntryInfo(
        home=home,
        state=state,
        bytes=tree_bytes(home),
        last_used=(users if users.exists() else home).stat().st_mtime,
        users=read_users(home),
        computed_s=computed_s,
        title=title,
        is_pinned=is_pinned(f"{home.parent.name}/{home.name}"),
    )


def _state(root: Path, home: Path, stale_s: float) -> tuple[State, float, str]:
    try:
        folder = content_folder(home)
        if folder is None:
            raise FileNotFoundError(home)
        if folder.name == DONE:
            manifest = read_manifest(folder)
            return "done", manifest.computed_s, manifest.title
    except ValueError:
        return "broken", 0.0, ""
    if folder.name == FREE or is_dead(root, owner_of(folder), stale_s=stale_s):
        return "stopped", 0.0, ""
    return "in work", 0.0, ""
