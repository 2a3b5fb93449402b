"""Atomic writes: a file is complete or absent, even if the writer is killed.

Not covered here by design: folders that are published by renaming (stage cache, demo data),
MLflow's database, which SQLite protects itself, and logs, which are appended to.
"""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def replacing(file: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """A stream to a temporary file, which replaces `file` unless the block raises.

    Readers see either the old or the new file. Any number of threads, processes and machines may
    write the same file: the last one wins.

    Args:
        file: file to write, in an existing folder.
        durable: whether the new content survives a power cut once the block is left, which costs a
            few milliseconds.
    """
    temporary = _temporary_name(file)
    try:
        with temporary.open("wb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)  # it may have filled the disk
    if durable:
        sync(file.parent)


def write_atomically(file: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a file atomically; see `replacing`."""
    with replacing(file, durable=durable) as stream:
        stream.write(content)


def write_json(file: Path, content: Any) -> None:
    """Write an indented JSON file atomically, so that it also survives a power cut."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with replacing(file, durable=True) as stream:
        os.fchmod(stream.fileno(), 0o644)  # regardless of the umask: others may read a sweep
        stream.write(text.encode())


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary_name(file: Path) -> Path:
    """A unique hidden name in the file's folder."""
    return file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")
