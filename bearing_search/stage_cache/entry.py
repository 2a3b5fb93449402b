"""One entry of the store on disk: a folder whose name says in which state it is. No torch.

``<store>/<stage>/<digest>/`` holds `users` (a line for each trial that used it) and one folder:
``work.<owner>`` while it is computed, ``work.free`` when its owner stopped, ``done`` for ever
after. It changes hands by being renamed, which succeeds for one process only; an owner that was
taken for dead and wakes up finds its path gone, so that two never write.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bearing_search.config import parse
from bearing_search.errors import ConfigError
from bearing_search.filesystem.atomic import sync, write_atomically
from bearing_search.filesystem.digest import sha256_of_file
from bearing_search.stage_cache.client import ClientId, parse_client_id
from bearing_search.stage_cache.key import StageKey

DONE = "done"
FREE = "work.free"
MANIFEST = "manifest.json"
SECONDS = "seconds.json"
USERS = "users"


class ClaimLostError(Exception):
    """This process hung for so long that another one took its work over; claim again."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file as it was when its entry was finished."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a finished entry says of itself: `manifest.json`."""

    stage: str
    digest: str
    title: str
    """For people: `LC, fold 1 of 2`."""

    facts: Mapping[str, Any]
    """What `digest` is the digest of: settings, inputs, seed, versions."""

    files: dict[str, FileFacts]
    seconds: dict[str, float]
    """Time of compute, by the trial that spent it."""

    finished: str
    """When, ISO 8601."""

    @property
    def computed_s(self) -> float:
        """Time that it took, all trials together."""
        return sum(self.seconds.values())


class Entry:
    """An entry in the hands of one trial: to read if `is_done`, else to compute in `folder`."""

    def __init__(self, key: StageKey, folder: Path, *, user: str, title: str) -> None:
        """Open what `folder` holds: `done`, or work that this process owns."""
        self.key, self.folder, self.user, self._title = key, folder, user, title
        self.is_done = folder.name == DONE
        self.seconds = read_manifest(folder).seconds if self.is_done else _read_seconds(folder)
        """Time of compute by trial: until now if done, else before this claim."""
        self._begun = time.monotonic()

    @property
    def is_lost(self) -> bool:
        """Whether another process took this work over, or somebody deleted it."""
        return not self.folder.exists()

    @property
    def computed_s(self) -> float:
        """Seconds that this trial has spent on it."""
        earlier = self.seconds.get(self.user, 0.0)
        return earlier if self.is_done else earlier + time.monotonic() - self._begun

    @property
    def saved_s(self) -> float:
        """Seconds that other trials spent on it, and this one need not."""
        return sum(seconds for user, seconds in self.seconds.items() if user != self.user)

    def note_seconds(self) -> None:
        """Write how long the work has taken, for whoever goes on with it."""
        content = self.seconds | {self.user: self.computed_s}
        write_atomically(self.folder / SECONDS, json.dumps(content).encode())

    def seal(self) -> None:
        """Write the manifest: digests and sizes of all files, what they are, what they cost."""
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
        """It is finished, and lies in `folder` from now on."""
        self.seconds = read_manifest(folder).seconds
        self.folder, self.is_done = folder, True


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a finished entry.

    Raises:
        ValueError: it is missing or makes no sense.
    """
    try:
        raw = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return parse(Manifest, raw)
    except FileNotFoundError:
        raise ValueError(f"{MANIFEST} is missing") from None
    except (ConfigError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{MANIFEST} cannot be read: {error}") from None


def integrity_error(home: Path, *, with_digests: bool) -> str:
    """What is wrong with a finished entry; empty: nothing.

    Args:
        with_digests: read every file; otherwise only sizes are compared.
    """
    folder = home / DONE
    try:
        manifest = read_manifest(folder)
    except ValueError as error:
        return str(error)
    key = StageKey(manifest.stage, manifest.facts)
    if key.name != f"{home.parent.name}/{home.name}":
        return f"{MANIFEST} is that of {key.name}"
    for name, facts in manifest.files.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != facts.bytes:
            return f"{name} has {file.stat().st_size} bytes, not {facts.bytes}"
        if with_digests and sha256_of_file(file) != facts.sha256:
            return f"{name} has another sha256 than when it was written"
    return ""


def content_folder(home: Path) -> Path | None:
    """The folder that holds an entry's files, whose name is its state; None: there is no entry.

    Raises:
        ValueError: the entry lacks it.
    """
    try:
        names = {path.name for path in home.iterdir()}
    except FileNotFoundError:
        return None
    if DONE in names:
        return home / DONE
    works = sorted(name for name in names if name.startswith("work."))
    if not works:
        raise ValueError("holds neither work nor an output")
    return home / works[0]


def work_name(owner: ClientId, number: int) -> str:
    """Name of the folder of work in progress; a holder numbers its claims."""
    return f"work.{owner}.{number}"


def owner_of(folder: Path) -> ClientId:
    """Whose work a folder named by `work_name` holds."""
    return parse_client_id(folder.name.split(".")[1])


def note_user(home: Path, user: str) -> None:
    """Count a use: one line for each trial, and the time of the last one."""
    file = home / USERS
    if user in read_users(home):
        os.utime(file)
        return
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"{user}\n")


def read_users(home: Path) -> tuple[str, ...]:
    """Trials that have used an entry, the first one first."""
    try:
        return tuple((home / USERS).read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return ()


def _read_seconds(folder: Path) -> dict[str, float]:
    try:
        seconds: dict[str, float] = json.loads((folder / SECONDS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return seconds
