"""Clients of a stage cache: one file per client, touched every few seconds as a heartbeat.

A client ID contains the machine, the process ID and the start of the process, so that a dead
process is detected at once on its own machine. On other machines, and for a process that hangs, the
heartbeat decides. No torch.
"""

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bearing_search.errors import DamagedFileError
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.filesystem.digest import sha256_of_text
from bearing_search.filesystem.stored_file import naming_damage, read_json_object

_LOG = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
"""Seconds between two heartbeats."""

MISSED_HEARTBEATS = 12
"""Missed heartbeats after which a client counts as dead."""


def this_machine() -> str:
    """Eight hex digits that identify our process ID namespace: containers count as machines."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        name = f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        name = socket.gethostname()
    return sha256_of_text(name)[:8]


def process_start(pid: int) -> int | None:
    """Start of a process, in clock ticks since the machine booted; None: it has ended.

    Not in seconds since 1970, which shift when the clock is set: processes that had begun before
    would take each other for dead, and take over each other's work again and again.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before may contain anything
    return None if fields[0] in ("Z", "X") else int(fields[19])


@dataclass(frozen=True, slots=True)
class ClientId:
    """Globally unique ID of a client."""

    machine: str
    pid: int
    started: int
    """Start of the process, see `process_start`."""

    serial: str

    def __str__(self) -> str:
        return f"{self.machine}-{self.pid}-{self.started}-{self.serial}"

    @property
    def is_local(self) -> bool:
        """Whether the process is on this machine, so that its state can be checked."""
        return self.machine == this_machine()

    @property
    def is_dead_process(self) -> bool:
        """Whether the process is known to be dead; always False for other machines."""
        if not self.is_local:
            return False
        return process_start(self.pid) != self.started


def parse_client_id(text: str) -> ClientId:
    """Inverse of `str(client_id)`."""
    machine, pid, started, serial = text.split("-")
    return ClientId(machine, int(pid), int(started), serial)


def client_file(root: Path, client_id: ClientId) -> Path:
    """Heartbeat file of a client, which also lists its pins."""
    return root / "holders" / f"{client_id}.json"


def last_heartbeat_ns(root: Path, client_id: ClientId) -> int | None:
    """Time of a client's last heartbeat by the file system's clock; None: it has no file."""
    try:
        return client_file(root, client_id).stat().st_mtime_ns
    except FileNotFoundError:
        return None


class CacheClient:
    """This process's presence in a store, from the construction until `close`."""

    def __init__(self, root: Path, *, heartbeat_s: float, on_beat: Callable[[], None]) -> None:
        """Start the heartbeat.

        Args:
            on_beat: called from the heartbeat thread after every heartbeat.
        """
        started = process_start(os.getpid())
        assert started is not None
        self.client_id = ClientId(this_machine(), os.getpid(), started, uuid.uuid4().hex[:8])
        self._root, self._beat_s, self._on_beat = root, heartbeat_s, on_beat
        self._file = client_file(root, self.client_id)
        self._pins: set[str] = set()
        self._closing = threading.Event()
        self._writing = threading.Lock()
        self._write()
        self._thread = threading.Thread(
            target=self._heartbeat, daemon=True, name="stage store beat"
        )
        self._thread.start()

    def pin(self, name: str) -> None:
        """Protect an entry from eviction while this client is alive."""
        with self._writing:
            self._pins.add(name)
            self._write()

    def unpin_all(self) -> None:
        """Unpin all entries."""
        with self._writing:
            self._pins.clear()
            self._write()

    def close(self) -> None:
        """Stop the heartbeat and remove the client's file."""
        self._closing.set()
        self._thread.join()
        _remove(self._file)

    def _write(self) -> None:
        content = {"host": socket.gethostname(), "pins": sorted(self._pins)}
        try:
            write_atomically(self._file, json.dumps(content).encode())
        except IsADirectoryError:
            _remove(self._file)
            write_atomically(self._file, json.dumps(content).encode())

    def _heartbeat(self) -> None:
        while not self._closing.wait(self._beat_s):
            try:
                with self._writing:  # the whole file: it may have been damaged, or removed as dead
                    self._write()
                self._on_beat()
            except OSError as error:
                _LOG.warning("%s: heartbeat failed: %s", self._file, error)


class LivenessProbe:
    """Checks whether the owner of an entry is dead while waiting for it.

    Compares heartbeats with each other, never with the clock of another machine.
    """

    def __init__(self, root: Path, *, stale_s: float) -> None:
        self._root, self._stale_s = root, stale_s
        self._seen: tuple[str, int | None] | None = None
        self._since = time.monotonic()

    def is_gone(self, client_id: ClientId) -> bool:
        """Whether a client's process is dead, or no heartbeat was observed for `stale_s`."""
        if client_id.is_dead_process:
            return True
        seen = (str(client_id), last_heartbeat_ns(self._root, client_id))
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return time.monotonic() - self._since > self._stale_s


def pinned_by_the_living(root: Path, *, stale_s: float) -> Callable[[str], bool]:
    """Whether a live client has pinned an entry; files of dead clients are removed.

    As long as the file of a live client is damaged, every entry may be one of its pins.
    """
    pins: set[str] = set()
    unknown = False
    for file in (root / "holders").glob("*.json"):
        try:
            client_id = parse_client_id(file.stem)
        except ValueError:
            continue  # a file that is not ours
        if is_dead(root, client_id, stale_s=stale_s):
            with suppress(OSError):  # read-only results
                _remove(file)
            continue
        try:
            with naming_damage(file):
                pins |= set(read_json_object(file)["pins"])
        except DamagedFileError as error:
            if file.exists():
                _LOG.warning("%s; until it is written anew, no stage is deleted", error)
                unknown = True
    return lambda name: unknown or name in pins


def is_dead(root: Path, client_id: ClientId, *, stale_s: float) -> bool:
    """Whether a client is dead: by its process on this machine, otherwise by its last heartbeat."""
    if client_id.is_local:
        return client_id.is_dead_process
    beat = last_heartbeat_ns(root, client_id)
    return beat is None or _now_ns(root) - beat > stale_s * 1e9


def _now_ns(root: Path) -> int:
    """Current time by the clock of the file system, as used for heartbeats."""
    probe = root / "clock"
    probe.touch()
    return probe.stat().st_mtime_ns


def _remove(file: Path) -> None:
    """Remove a client's file, or the folder that somebody put in its place, by renaming it."""
    try:
        file.unlink(missing_ok=True)
    except IsADirectoryError:
        file.rename(file.with_name(f"{file.name}.{uuid.uuid4().hex[:6]}.damaged"))
