"""Verdicts as lines of JSON, each sample once, even if the process is killed between two writes.

The line of a verdict is on disk before its key is noted in the journal beside it. After a kill
between the two, the next start finds the key in the last lines of the verdicts.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from bearing_search.errors import ConfigError, ResourceError
from bearing_search.filesystem.atomic import sync

KEY_HEX = 32
"""Characters of a key."""

_TAIL_BYTES = 1 << 20
_BEGIN = b'{"sample": '
"""How every line of verdicts begins."""


class Journal:
    """A file of verdicts, and the keys of the samples that are done.

    Raises:
        ConfigError: the file of verdicts is there, and is something else.
        ResourceError: another process writes it.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.file = out, out.with_name(f"{out.name}.journal")
        out.parent.mkdir(parents=True, exist_ok=True)
        _require_verdicts(out)
        self._keys = self.file.open("a+b")
        try:
            fcntl.flock(self._keys, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._keys.close()
            raise ResourceError(
                f"{self.file}: another process is writing it; name another --out, or stop it"
            ) from None
        self._lines = out.open("a+b")
        _cut_partial_line(self._lines)
        _cut_partial_line(self._keys)
        self._keys.seek(0)
        self._done = {
            bytes.fromhex(key) for key in _keys(self._keys.read().decode("ascii", "replace"))
        }
        for key in self._of_last_lines():
            if key not in self:
                self._append(self._keys, f"{key}\n")
                self._done.add(bytes.fromhex(key))
        sync(out.parent)

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key) in self._done

    def __len__(self) -> int:
        return len(self._done)

    def add(self, key: str, verdict: Mapping[str, Any]) -> None:
        """Append a verdict; on disk when this returns."""
        line = json.dumps({**verdict, "key": key}, default=str)
        self._append(self._lines, f"{line}\n")
        self._append(self._keys, f"{key}\n")
        self._done.add(bytes.fromhex(key))

    def close(self) -> None:
        """Close both files."""
        self._lines.close()
        self._keys.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, stream: BinaryIO, text: str) -> None:
        end = stream.seek(0, os.SEEK_END)
        try:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        except OSError:
            os.ftruncate(stream.fileno(), end)  # half a line is none
            raise

    def _of_last_lines(self) -> Iterator[str]:
        end = self._lines.seek(0, os.SEEK_END)
        self._lines.seek(max(0, end - _TAIL_BYTES))
        for line in self._lines.read().splitlines():
            try:
                found = json.loads(line)
            except ValueError:  # the first one may be cut
                continue
            if isinstance(found, dict):
                yield from _keys(str(found.get("key", "")))


def _keys(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if len(line) == KEY_HEX and all(one in "0123456789abcdef" for one in line):
            yield line


def _require_verdicts(out: Path) -> None:
    """Refuse a file of somebody else, whose last line would be taken for half a verdict."""
    if not out.exists():
        return
    if out.is_file():
        with out.open("rb") as stream:
            head = stream.read(len(_BEGIN))
        if head == _BEGIN[: len(head)]:
            return
    raise ConfigError(f"{out}: is no file of verdicts; name another one with --out")


def _cut_partial_line(stream: BinaryIO) -> None:
    """Remove what a killed process has left of a line."""
    end = stream.seek(0, os.SEEK_END)
    start = max(0, end - _TAIL_BYTES)
    stream.seek(start)
    tail = stream.read()
    if tail and not tail.endswith(b"\n"):
        stream.truncate(start + tail.rfind(b"\n") + 1)
        stream.seek(0, os.SEEK_END)
