"""Reads sqlite files in read-only folders, where sqlite cannot open a file in WAL mode."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def is_writable(file: Path) -> bool:
    """Whether sqlite can write to an existing file and beside it."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK)


@contextmanager
def readable(file: Path) -> Iterator[Path]:
    """The file if it can be written, else a copy of it for the time of the block.

    Raises:
        OSError: it cannot be copied.
    """
    if is_writable(file):
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="bearing_search-") as scratch:
        copy = Path(scratch) / file.name
        for suffix in ("", "-wal"):  # what is not yet in the file is in its write-ahead log
            part = file.with_name(file.name + suffix)
            if part.exists():
                shutil.copyfile(part, copy.with_name(copy.name + suffix))
        yield copy
