"""Detection of full disks among other errors of files and databases."""

import errno
from pathlib import Path

from bearing_search.errors import DiskFullError

_SQLITES_WORDS = "database or disk is full"


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one of its causes, means that a disk or a quota is full."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, DiskFullError) or _SQLITES_WORDS in str(error):
            return True
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def disk_full_error(error: BaseException, place: Path | str) -> DiskFullError:
    """A one-line error that says what to do about a full disk.

    Args:
        error: an error for which `is_disk_full` holds.
        place: path that was written, if the error does not name it.
    """
    if isinstance(error, DiskFullError):
        return error
    file = error.filename if isinstance(error, OSError) else None
    return DiskFullError(
        f"{file or place}: the disk is full. Free some space (`cache prune --max-size` deletes "
        "stages that can be recomputed), then `resume`: nothing that was saved is lost"
    )
