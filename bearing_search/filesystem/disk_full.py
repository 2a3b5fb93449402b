"""A disk without room, told from everything else that can go wrong with a file or a database."""

import errno
from pathlib import Path

from bearing_search.errors import DiskFullError

_SQLITES_WORDS = "database or disk is full"


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, says that a disk or a quota has no room left."""
    while error is not None:
        if isinstance(error, DiskFullError) or _SQLITES_WORDS in str(error):
            return True
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def disk_full_error(error: BaseException, place: Path | str) -> DiskFullError:
    """The same in one line, with what to do.

    Args:
        error: for which `is_disk_full` holds.
        place: where was written, if the error does not say.
    """
    if isinstance(error, DiskFullError):
        return error
    file = error.filename if isinstance(error, OSError) else None
    return DiskFullError(
        f"{file or place}: the disk is full. Free some space (`cache prune --max-size` deletes "
        "what trials can compute again), then `resume`: nothing that was saved is lost"
    )
