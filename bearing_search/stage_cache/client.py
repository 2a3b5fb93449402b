"""Who is at work in a store: a file for each open store, touched every few seconds while it lives.

A holder's token names machine, process and start of the process, so that on its own machine a dead
one is known at once. Elsewhere, and for a process that hangs, the beats decide. No torch.
"""

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from bearing_search.filesystem.atomic import write_atomically
from bearing_search.filesystem.digest import sha256_of_text

HEARTBEAT_S = 5.0
"""Seconds between two beats."""

MISSED_HEARTBEATS = 12
"""A holder that misses so many is taken for dead."""

_START_TOLERANCE_S = 5
"""A process's start, as computed from the boot time, may shift when the clock is set."""


def this_machine() -> str:
    """Eight hex digits for what shares our process ids: containers count as machines."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        name = f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        name = socket.gethostname()
    return sha256_of_text(name)[:8]


@dataclass(frozen=True, slots=True)
class ClientId:
    """Name of a holder, unique for ever."""

    machine: str
    pid: int
    started: int
    """Start of the process, in seconds since 1970."""

    serial: str

    def __str__(self) -> str:
        return f"{self.machine}-{self.pid}-{self.started}-{self.serial}"

    @property
    def is_local(self) -> bool:
        """Whether this machine can tell if the process lives."""
        return self.machine == this_machine()

    @property
    def is_dead_process(self) -> bool:
        """Known to be gone. False for a process of another machine, whatever it does."""
        if not self.is_local:
            return False
        try:
            process = psutil.Process(self.pid)
            is_gone = process.status() == psutil.STATUS_ZOMBIE
            return is_gone or abs(process.create_time() - self.started) > _START_TOLERANCE_S
        except psutil.NoSuchProcess:
            return True


def parse_client_id(text: str) -> ClientId:
    """The token that `str` wrote."""
    machine, pid, started, serial = text.split("-")
    return ClientId(machine, int(pid), int(started), serial)


def client_file(root: Path, client_id: ClientId) -> Path:
    """Where a holder beats, and lists what it needs."""
    return root / "holders" / f"{client_id}.json"


def last_heartbeat_ns(root: Path, client_id: ClientId) -> int | None:
    """Time stamp of a holder's last beat, by the clock of the file system."""
    try:
        return client_file(root, client_id).stat().st_mtime_ns
    except FileNotFoundError:
        return None


class CacheClient:
    """This process's presence in a store, from the construction until `close`."""

    def __init__(self, root: Path, *, heartbeat_s: float, on_beat: Callable[[], None]) -> None:
        """Begin to beat.

        Args:
            on_beat: called from the beating thread after every beat.
        """
        started = int(psutil.Process().create_time())
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
        """Keep an entry from being evicted while this holder lives."""
        with self._writing:
            self._pins.add(name)
            self._write()

    def unpin_all(self) -> None:
        """Nothing is needed any more."""
        with self._writing:
            self._pins.clear()
            self._write()

    def close(self) -> None:
        """Stop beating and leave."""
        self._closing.set()
        self._thread.join()
        self._file.unlink(missing_ok=True)

    def _write(self) -> None:
        content = {"host": socket.gethostname(), "pins": sorted(self._pins)}
        write_atomically(self._file, json.dumps(content).encode())

    def _heartbeat(self) -> None:
        while not self._closing.wait(self._beat_s):
            try:
                try:
                    os.utime(self._file)
                except FileNotFoundError:  # taken for dead while the machine slept
                    with self._writing:
                        self._write()
                self._on_beat()
            except OSError as error:
                logging.getLogger(__name__).warning("%s: cannot beat: %s", self._file, error)


class LivenessProbe:
    """Whether the owner of some work is gone, as seen by one who waits for it.

    Compares beats with each other, never with a clock of another machine.
    """

    def __init__(self, root: Path, *, stale_s: float) -> None:
        self._root, self._stale_s = root, stale_s
        self._seen: tuple[str, int | None] | None = None
        self._since = time.monotonic()

    def is_gone(self, client_id: ClientId) -> bool:
        """Dead on this machine, or without a beat since we first looked, for long enough."""
        if client_id.is_dead_process:
            return True
        seen = (str(client_id), last_heartbeat_ns(self._root, client_id))
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return time.monotonic() - self._since > self._stale_s


def live_pins(root: Path, *, stale_s: float) -> set[str]:
    """Entries that living holders need; files of dead holders are removed."""
    pins: set[str] = set()
    for file in (root / "holders").glob("*.json"):
        client_id = parse_client_id(file.stem)
        if is_dead(root, client_id, stale_s=stale_s):
            file.unlink(missing_ok=True)
            continue
        try:
            pins |= set(json.loads(file.read_text(encoding="utf-8"))["pins"])
        except FileNotFoundError:
            continue
    return pins


def is_dead(root: Path, client_id: ClientId, *, stale_s: float) -> bool:
    """Judged at one look: the process on this machine, the age of the last beat elsewhere."""
    if client_id.is_local:
        return client_id.is_dead_process
    beat = last_heartbeat_ns(root, client_id)
    return beat is None or _now_ns(root) - beat > stale_s * 1e9


def _now_ns(root: Path) -> int:
    """Time by the clock of the file system, which stamps the beats."""
    probe = root / "clock"
    probe.touch()
    return probe.stat().st_mtime_ns
