"""Files that are whole or absent, whatever is killed while they are written.

Elsewhere by design: folders that are published by renaming them (stage cache, demo data), MLflow's
database, which SQLite writes under a name of its own, and logs, which are appended to.
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
    """A stream into a temporary file, which takes the file's place unless the block raises.

    Readers see the old file or the new one. Any number of threads, processes and machines may
    write the same file: the last one wins.

    Args:
        file: to write; its folder exists.
        durable: the new content survives a power cut as soon as the block is left, which costs some
            milliseconds.
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
        temporary.unlink(missing_ok=True)  # it may have taken what was left of the disk
    if durable:
        sync(file.parent)


def write_atomically(file: Path, content: bytes, *, durable: bool = False) -> None:
    """Write a file whole or not at all; see `replacing`."""
    with replacing(file, durable=durable) as stream:
        stream.write(content)


def write_json(file: Path, content: Any) -> None:
    """Write a JSON file for people and programs, whole or not at all, also after a power cut."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with replacing(file, durable=True) as stream:
        os.fchmod(stream.fileno(), 0o644)  # whatever the umask: others may read a sweep
        stream.write(text.encode())


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary_name(file: Path) -> Path:
    """Beside the file, hidden, and nobody else's."""
    return file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")
