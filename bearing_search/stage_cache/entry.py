"""A cache entry on disk: a folder whose name is its state. No torch.

``<cache>/<stage>/<digest>/`` holds `users` (a line for each trial that used it) and one folder:
``work.<owner>`` while it is computed, ``work.free`` when its owner stopped, ``done`` once finished.
Ownership changes by renaming the folder, which succeeds for one process only; an owner that was
considered dead and wakes up finds its path gone, so that two processes never write.
"""

import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bearing_search.config import parse
from bearing_search.errors import ConfigError, DamagedFileError
from bearing_search.filesystem.atomic import sync, write_atomically
from bearing_search.filesystem.digest import sha256_of_file
from bearing_search.filesystem.stored_file import naming_damage, read_json_object
from bearing_search.stage_cache.client import ClientId, parse_client_id
from bearing_search.stage_cache.key import StageKey

_LOG = logging.getLogger(__name__)

DONE = "done"
FREE = "work.free"
MANIFEST = "manifest.json"
SECONDS = "seconds.json"
USERS = "users"


class ClaimLostError(Exception):
    """This process hung for so long that another one took over its work; claim again."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Size and digest of a file when its entry was finished."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`manifest.json` of a finished entry."""

    stage: str
    digest: str
    title: str
    """Display name: `LC, fold 1 of 2`."""

    facts: Mapping[str, Any]
    """What `digest` is computed from: settings, inputs, seed, versions."""

    files: dict[str, FileFacts]
    seconds: dict[str, float]
    """Compute time by trial."""

    finished: str
    """Time of completion, ISO 8601."""

    @property
    def computed_s(self) -> float:
        """Total compute time, over all trials."""
        return sum(self.seconds.values())


class Entry:
    """An entry as claimed by one trial: finished if `is_done`, otherwise computed in `folder`."""

    def __init__(self, key: StageKey, folder: Path, *, user: str, title: str) -> None:
        """Open `folder`, which is `done` or work owned by this process."""
        self.key, self.folder, self.user, self._title = key, folder, user, title
        self.is_done = folder.name == DONE
        self.seconds = read_manifest(folder).seconds if self.is_done else _read_seconds(folder)
        """Compute time by trial: in total if done, otherwise before this claim."""
        self._begun = time.monotonic()

    @property
    def is_lost(self) -> bool:
        """Whether another process took over this work, or it was deleted."""
        return not self.folder.exists()

    @property
    def computed_s(self) -> float:
        """Seconds that this trial spent on the entry."""
        earlier = self.seconds.get(self.user, 0.0)
        return earlier if self.is_done else earlier + time.monotonic() - self._begun

    @property
    def saved_s(self) -> float:
        """Seconds that other trials spent on the entry."""
        return sum(seconds for user, seconds in self.seconds.items() if user != self.user)

    def note_seconds(self) -> None:
        """Save the compute time so far, for the next claim of the entry."""
        content = self.seconds | {self.user: self.computed_s}
        write_atomically(self.folder / SECONDS, json.dumps(content).encode())

    def seal(self) -> None:
        """Write the manifest: digests and sizes of all files, facts and compute time."""
        for leftover in [*self.folder.rglob("*.tmp"), self.folder / SECONDS]:
            leftover.unlink(missing_ok=True)
        files = [file for file in sorted(self.folder.rglob("*")) if file.is_file()]
        for file in files:
            sync(file)
        manifest = Manifest(
            stage=self.key.stage,
            digest=self.key.digest,
            title=self._title,
            facts=self.key.facts,
            files={
                file.relative_to(self.folder).as_posix(): FileFacts(
                    file.stat().st_size, sha256_of_file(file)
                )
                for file in files
                if file.name != MANIFEST
            },
            seconds=self.seconds | {self.user: self.computed_s},
            finished=datetime.now().astimezone().isoformat(timespec="seconds"),
        )
        content = json.dumps(asdict(manifest), indent=1).encode()
        write_atomically(self.folder / MANIFEST, content, durable=True)

    def settle(self, folder: Path) -> None:
        """Mark the entry as finished in `folder`."""
        self.seconds = read_manifest(folder).seconds
        self.folder, self.is_done = folder, True


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a finished entry.

    Raises:
        ValueError: it is missing or invalid.
    """
    try:
        return parse(Manifest, read_json_object(folder / MANIFEST))
    except (ConfigError, DamagedFileError) as error:
        if not (folder / MANIFEST).exists():
            raise ValueError(f"{MANIFEST} is missing") from None
        reason = error.args[1] if isinstance(error, DamagedFileError) else error
        raise ValueError(f"{MANIFEST} cannot be read: {reason}") from None


def integrity_error(home: Path, *, with_digests: bool) -> str:
    """What is wrong with a finished entry; empty if it is intact.

    Args:
        with_digests: whether to read every file; otherwise only sizes are compared.
    """
    folder = home / DONE
    try:
        manifest = read_manifest(folder)
    except ValueError as error:
        return str(error)
    key = StageKey(manifest.stage, manifest.facts)
    if key.name != f"{home.parent.name}/{home.name}":
        return f"{MANIFEST} belongs to {key.name}"
    for name, facts in manifest.files.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != facts.bytes:
            return f"{name} has {file.stat().st_size} bytes, not {facts.bytes}"
        if with_digests and sha256_of_file(file) != facts.sha256:
            return f"{name} has a different sha256 than when it was written"
    return ""


def content_folder(home: Path) -> Path | None:
    """The folder with an entry's files, named after its state; None: there is no entry.

    Raises:
        ValueError: the entry has no such folder.
    """
    try:
        names = {path.name for path in home.iterdir() if path.is_dir()}
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise ValueError("is not a folder") from None
    if DONE in names:
        return home / DONE
    works = sorted(name for name in names if name == FREE or _is_work_name(name))
    if not works:
        raise ValueError("has neither unfinished work nor an output")
    return home / works[0]


def work_name(owner: ClientId, number: int) -> str:
    """Folder name of work in progress; each client numbers its claims."""
    return f"work.{owner}.{number}"


def owner_of(folder: Path) -> ClientId:
    """Owner of a folder that was named by `work_name`."""
    return parse_client_id(folder.name.split(".")[1])


def _is_work_name(name: str) -> bool:
    try:
        return name == work_name(owner_of(Path(name)), int(name.split(".")[2]))
    except (ValueError, IndexError):
        return False


def note_user(home: Path, user: str) -> None:
    """Record a use: one line per trial; the file's modification time is the last use."""
    file = home / USERS
    if user in read_users(home):
        os.utime(file)
        return
    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"{user}\n")
    except IsADirectoryError as error:  # only the numbers of `cache ls` depend on it
        _LOG.warning("%s: %s", file, error.strerror)


def read_users(home: Path) -> tuple[str, ...]:
    """Trials that used an entry, in order of their first use; a damaged list warns and is empty."""
    file = home / USERS
    if not file.exists():
        return ()
    try:
        with naming_damage(file):
            return tuple(file.read_text(encoding="utf-8").splitlines())
    except DamagedFileError as error:
        _LOG.warning("%s", error)
        return ()


def _read_seconds(folder: Path) -> dict[str, float]:
    file = folder / SECONDS
    if not file.exists():
        return {}
    try:
        with naming_damage(file):
            return {user: float(spent) for user, spent in read_json_object(file).items()}
    except DamagedFileError as error:
        _LOG.warning("%s; the time spent before is not counted", error)
        return {}
