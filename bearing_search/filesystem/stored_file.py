"""Reads files that a program wrote earlier: whatever happened to one is an error that names it."""

import errno
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bearing_search.errors import ConfigError, DamagedFileError

_UNREADABLE = (
    AttributeError,
    ConfigError,
    EOFError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def naming_damage(file: Path) -> Iterator[None]:
    """Convert what reading a file and parsing its content raises.

    Raises:
        DamagedFileError: the block failed; names the file, and why in one line.
    """
    try:
        yield
    except DamagedFileError:
        raise
    except _UNREADABLE as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = next(iter(text.strip().splitlines()), "") or type(error).__name__
        raise DamagedFileError(file, reason) from error


def read_json_object(file: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        DamagedFileError: it is missing, or holds something else.
    """
    with naming_damage(file):
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"it holds {json.dumps(found)[:40]} instead of an object")
    return found


def is_access_error(error: BaseException) -> bool:
    """Whether a path cannot be used for lack of permission, or since it is a folder or none."""
    if not isinstance(error, OSError) or error.filename is None:
        return False
    kinds = PermissionError | IsADirectoryError | NotADirectoryError
    return isinstance(error, kinds) or error.errno == errno.EROFS
