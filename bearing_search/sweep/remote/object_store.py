"""Stores folders at a URL, for machines without a shared folder: S3, GCS, Azure, HDFS, fsspec.

Each version of a folder becomes visible atomically: its files are uploaded under their digests
first, then one list of them replaces the previous list. This works on any object store: it needs no
locks, no appending, and no renaming of files that others read.

<url>/<name>/files.json   path -> digest of the newest version
<url>/<name>/blobs/       files by digest
"""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import fsspec
from pyarrow import ArrowException
from pyarrow.fs import FileSelector, FileSystem, FileType, FSSpecHandler, PyFileSystem

from bearing_search.errors import ConfigError, ResourceError
from bearing_search.filesystem.atomic import replacing
from bearing_search.sweep.record.urls import refuse_password

_URL = re.compile(r"(\w+::)*[A-Za-z][\w+.\-]*://[^\s?#]\S*")
_LIST = "files.json"
_CHUNK = 1024**2
_TRIES = 3
_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class _SentFile:
    """A file's time stamp and size when its digest was computed."""

    stamp: tuple[int, int]
    digest: str


class FolderStore:
    """A store of folders and short texts at a URL. Names are relative paths with slashes.

    Args:
        url: such as `s3://bucket/folder`; schemes that pyarrow does not support are opened with
            fsspec. Credentials come from the environment, as those libraries document.
        below: subfolder of the URL.

    Raises:
        ConfigError: not a URL, a URL with a password, or an unknown scheme.
    """

    def __init__(self, url: str, below: str = "") -> None:
        self.url = url
        self._files, base = _open(url)
        self._base = f"{base}/{below}" if below else base
        self._known: dict[Path, _SentFile] = {}
        self._there: dict[str, set[str]] = {}  # name -> digests known to be stored

    def check(self) -> None:
        """Check that the store works, by writing, reading and removing a text.

        Raises:
            ResourceError: it does not; gives the reason.
        """
        name = f"check-{secrets.token_hex(6)}"
        with _with_retries(self.url):
            self.write(name, name)
            found = self.read(name)
            self.remove(name)
        if found != name:
            raise ResourceError(f"{self.url}: does not return what was written there")

    def write(self, name: str, text: str = "") -> None:
        """Store a short text atomically: readers see the old or the new one."""
        path = self._path(name)
        self._files.create_dir(str(PurePosixPath(path).parent), recursive=True)
        fresh = f"{path}.{secrets.token_hex(6)}"
        with self._files.open_output_stream(fresh) as stream:
            stream.write(text.encode())
        self._files.move(fresh, path)

    def read(self, name: str) -> str | None:
        """Read a text; returns None if there is none."""
        try:
            with self._files.open_input_stream(self._path(name)) as stream:
                return bytes(stream.read()).decode()
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Delete a text, if there is one."""
        with suppress(FileNotFoundError):
            self._files.delete_file(self._path(name))

    def existing(self, names: Collection[str]) -> set[str]:
        """Those of the names that exist, found with a single request."""
        order = list(names)
        found = self._files.get_file_info([self._path(name) for name in order])
        return {n for n, info in zip(order, found, strict=True) if info.type == FileType.File}

    def names(self, folder: str) -> set[str]:
        """Names of all texts directly in a folder."""
        selector = FileSelector(self._path(folder), allow_not_found=True)
        found = self._files.get_file_info(selector)
        return {f"{folder}/{info.base_name}" for info in found if info.type == FileType.File}

    def push(self, folder: Path, name: str, *, but: Collection[str] = ()) -> None:
        """Upload a folder as the newest version of `name`. Unchanged files are not sent again.

        Args:
            folder: no process may write there meanwhile, except temporary files.
            name: name of the folder in the store.
            but: file names to leave out, in any subfolder.
        """
        before = self._there.setdefault(name, set(self._list(name).values()))
        listed: dict[str, str] = {}
        for file in sorted(folder.rglob("*")):
            if not file.is_file() or file.name in but:
                continue
            with suppress(FileNotFoundError):  # a temporary one that has just been renamed
                listed[file.relative_to(folder).as_posix()] = self._send(file, name, before)
        self.write(f"{name}/{_LIST}", json.dumps(listed, indent=1))
        for digest in before - set(listed.values()):
            self.remove(f"{name}/blobs/{digest}")
        self._there[name] = set(listed.values())

    def pull(self, name: str, folder: Path) -> bool:
        """Download the newest version of `name` into a folder, keeping other files there.

        Returns:
            Whether the newest version holds any file.

        Raises:
            ResourceError: it keeps changing, or is damaged.
        """
        for attempt in range(_TRIES):
            listed = self._list(name)
            try:
                for path, digest in listed.items():
                    self._receive(name, digest, folder / _checked(path))
            except FileNotFoundError:  # replaced by a newer version meanwhile
                time.sleep(attempt * _PAUSE_S)
                continue
            return bool(listed)
        raise ResourceError(f"{self.url}: {name} cannot be read completely")

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}"

    def _list(self, name: str) -> Mapping[str, str]:
        text = self.read(f"{name}/{_LIST}")
        return {} if text is None else json.loads(text)

    def _send(self, file: Path, name: str, there: set[str]) -> str:
        """Upload a file under its digest, computed from the bytes sent; returns the digest."""
        status = file.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._known.get(file)
        if known is not None and known.stamp == stamp and known.digest in there:
            return known.digest
        self._files.create_dir(self._path(f"{name}/blobs"), recursive=True)
        fresh = self._path(f"{name}/blobs/{secrets.token_hex(8)}")
        total = hashlib.sha256()
        with file.open("rb") as source, self._files.open_output_stream(fresh) as stream:
            while chunk := source.read(_CHUNK):
                total.update(chunk)
                stream.write(chunk)
        digest = total.hexdigest()
        self._files.move(fresh, self._path(f"{name}/blobs/{digest}"))
        self._known[file] = _SentFile(stamp, digest)
        return digest

    def _receive(self, name: str, digest: str, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        total = hashlib.sha256()
        source = self._files.open_input_stream(self._path(f"{name}/blobs/{digest}"))
        with source, replacing(file) as stream:
            while chunk := source.read(_CHUNK):
                total.update(chunk)
                stream.write(chunk)
            if total.hexdigest() != digest:
                raise ResourceError(f"{self.url}: {name}/blobs/{digest} is damaged")


def _open(url: str) -> tuple[FileSystem, str]:
    refuse_password(depot=url)
    if not _URL.fullmatch(url):
        raise ConfigError(
            f"--depot {url!r} is not a URL; it must be one, such as s3://bucket/folder"
        )
    try:
        files, base = FileSystem.from_uri(url)
    except ArrowException:
        try:
            known, base = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"{url}: cannot be used as a depot: {_line(error)}") from None
        files = PyFileSystem(FSSpecHandler(known))
    return files, base.rstrip("/")


def _checked(path: str) -> Path:
    """A path from an untrusted list, checked to stay within the folder."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise ResourceError(f"{path}: points outside the folder; the depot has been tampered with")
    return Path(pure)


@contextmanager
def _with_retries(url: str) -> Iterator[None]:
    try:
        yield
    except NotImplementedError:
        raise ResourceError(f"{url}: cannot be used as a depot: it cannot be written") from None
    except (OSError, ArrowException) as error:
        raise ResourceError(f"{url}: cannot be used as a depot: {_line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
