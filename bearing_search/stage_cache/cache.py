"""Stage outputs, shared by all trials and sweeps and each computed once. No torch.

A trial *claims* an output by its key. If it is not done, the trial gets a folder to compute it in,
possibly with the checkpoint of a trial that stopped or was killed; while another process computes
it, the trial waits. A trial holds one claim at a time, which rules out deadlocks.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from bearing_search.stage_cache.client import (
    HEARTBEAT_S,
    MISSED_HEARTBEATS,
    CacheClient,
    LivenessProbe,
)
from bearing_search.stage_cache.entry import (
    DONE,
    FREE,
    MANIFEST,
    ClaimLostError,
    Entry,
    content_folder,
    integrity_error,
    note_user,
    owner_of,
    work_name,
)
from bearing_search.stage_cache.eviction import (
    evict,
    locked,
    quarantine,
    with_room,
)
from bearing_search.stage_cache.key import StageKey
from bearing_search.stage_cache.limit import usable_max_bytes

_LOG = logging.getLogger(__name__)
_POLL_S = (0.02, 0.5)
"""First and longest polling interval while another process computes an entry."""

T = TypeVar("T")


class StageCache:
    """A process's access to the cache below `root`; entries it used are pinned until `release`."""

    def __init__(
        self,
        root: Path,
        *,
        max_bytes: int | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        missed_heartbeats: int = MISSED_HEARTBEATS,
    ) -> None:
        """Open the cache, creating it if missing.

        Args:
            max_bytes: size limit; None: the one set for this cache, or the default.
            heartbeat_s, missed_heartbeats: when a silent process counts as dead.
        """
        (root / "holders").mkdir(parents=True, exist_ok=True)
        self.root = root
        self.max_bytes = usable_max_bytes(root) if max_bytes is None else max_bytes
        self._stale_s = heartbeat_s * missed_heartbeats
        self._verified: set[tuple[str, int]] = set()
        self._claims = 0
        self._working: Entry | None = None
        self._noting = threading.Lock()
        self._client = CacheClient(root, heartbeat_s=heartbeat_s, on_beat=self._note_seconds)

    def close(self) -> None:
        """Close the cache and drop all pins. See `contextlib.closing`."""
        self._client.close()

    def release(self) -> None:
        """Unpin all entries claimed so far."""
        self._client.unpin_all()

    @contextmanager
    def claim(
        self,
        key: StageKey,
        *,
        user: str,
        title: str = "",
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[Entry | None]:
        """A stage output: read it if `is_done`, otherwise compute it in `folder` and `finish` it.

        If the block is left without `finish`, the folder is kept for the next claim.

        Args:
            user: the trial, as `sweep/trials/00003`.
            title: description of the output in messages and listings.
            should_stop: polled while another process computes the entry; if true, None is yielded.

        Raises:
            ClaimLostError: on exit, if another process took over in the meantime.
            ResourceError: the disk is full and nothing can be deleted.
        """
        assert self._working is None, "one claim at a time"
        entry = self._acquire(key, user, title, should_stop)
        if entry is None or entry.is_done:
            yield entry
            return
        self._working = entry
        try:
            yield entry
        except (OSError, RuntimeError) as error:  # torch reports a missing folder as RuntimeError
            if entry.is_lost:
                raise ClaimLostError(key.name) from error
            raise
        finally:
            if not entry.is_done:
                self._let_go(entry)

    def find(self, key: StageKey, *, user: str, title: str = "") -> Entry | None:
        """A finished output, or None; never waits."""
        home = self.root / key.name
        with locked(self.root):
            if not (home / DONE).exists():
                return None
            self._client.pin(key.name)
            note_user(home, user)
        done = home / DONE
        return Entry(key, done, user=user, title=title) if self._is_sound(done) else None

    def finish(self, entry: Entry) -> None:
        """Publish a computed output, then evict entries if the cache exceeds its limit.

        Raises:
            ClaimLostError: another process took over in the meantime.
            ResourceError: the disk is full and nothing can be deleted.
        """
        with self._noting:
            self._working = None
        try:
            self.with_room(entry.seal)
            with locked(self.root):
                done = entry.folder.rename(entry.folder.with_name(DONE))
        except FileNotFoundError:
            raise ClaimLostError(entry.key.name) from None
        entry.settle(done)
        self._verified.add(_version(done))
        evict(self.root, max_bytes=self.max_bytes, stale_s=self._stale_s)

    def with_room(self, write: Callable[[], T]) -> T:
        """Call `write`; while the disk is full, evict entries and retry.

        Raises:
            ResourceError: the disk is full and nothing can be deleted.
        """
        return with_room(self.root, write, stale_s=self._stale_s)

    def _acquire(
        self, key: StageKey, user: str, title: str, should_stop: Callable[[], bool]
    ) -> Entry | None:
        liveness = LivenessProbe(self.root, stale_s=self._stale_s)
        pause, longest = _POLL_S
        while True:
            folder = self.with_room(lambda: self._attempt(key, user, liveness))
            if folder is None and should_stop():
                return None
            if folder is None:
                if pause == _POLL_S[0]:
                    _LOG.info("%s: waiting for another process to compute it", key.name)
                time.sleep(pause)
                pause = min(1.5 * pause, longest)
            elif folder.name != DONE or self._is_sound(folder):
                return Entry(key, folder, user=user, title=title)

    def _attempt(self, key: StageKey, user: str, liveness: LivenessProbe) -> Path | None:
        """Claim or create the entry's folder; None: another process is computing it."""
        home = self.root / key.name
        with locked(self.root):
            self._client.pin(key.name)
            try:
                folder = content_folder(home)
            except ValueError as error:
                self._set_aside(home, str(error))
                folder = None
            if folder is None:
                folder = self._begin(home)
            elif self._is_abandoned(folder, liveness):
                _LOG.info("%s: resuming the work of %s", key.name, folder.name)
                folder = folder.rename(folder.with_name(self._new_name()))
            elif folder.name != DONE:
                return None
            note_user(home, user)
        return folder

    def _is_abandoned(self, folder: Path, liveness: LivenessProbe) -> bool:
        if folder.name in (DONE, FREE):
            return folder.name == FREE
        owner = owner_of(folder)
        return owner == self._client.client_id or liveness.is_gone(owner)

    def _begin(self, home: Path) -> Path:
        """Create a new entry with its owner's folder in it, atomically."""
        name = self._new_name()
        staging = self.root / "staging" / name
        (staging / name).mkdir(parents=True)
        home.parent.mkdir(exist_ok=True)
        staging.rename(home)
        return home / name

    def _new_name(self) -> str:
        self._claims += 1
        return work_name(self._client.client_id, self._claims)

    def _is_sound(self, done: Path) -> bool:
        """Whether a finished entry is intact; a damaged one is moved to quarantine."""
        is_known = (done / MANIFEST).exists() and _version(done) in self._verified
        reason = integrity_error(done.parent, with_digests=not is_known)
        if reason:
            with locked(self.root):
                self._set_aside(done.parent, reason)
            return False
        self._verified.add(_version(done))
        return True

    def _set_aside(self, home: Path, reason: str) -> None:
        if home.exists():
            where = quarantine(self.root, home)
            _LOG.warning("%s: %s; moved to %s, will be recomputed", home, reason, where)

    def _let_go(self, entry: Entry) -> None:
        """Release unfinished work for the next claim."""
        self._note_seconds()
        with self._noting:
            self._working = None
        with locked(self.root), suppress(FileNotFoundError):
            entry.folder.rename(entry.folder.with_name(FREE))

    def _note_seconds(self) -> None:
        with self._noting, suppress(FileNotFoundError):
            if self._working is not None:
                self._working.note_seconds()


def _version(done: Path) -> tuple[str, int]:
    """Identity of a finished entry, which changes when it is recomputed."""
    return f"{done.parent.parent.name}/{done.parent.name}", (done / MANIFEST).stat().st_mtime_ns
