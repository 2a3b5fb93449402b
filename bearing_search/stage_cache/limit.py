"""Size limit of a cache: a default, unless one was set for it. No torch."""

import logging
import shutil
from pathlib import Path

from bearing_search.errors import DamagedFileError
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.filesystem.stored_file import naming_damage
from bearing_search.stage_cache.eviction import tree_bytes

MAX_BYTES = 20 * 10**9
"""Upper bound of the default size limit (see `default_max_bytes`)."""

_LOG = logging.getLogger(__name__)
_LIMIT = "max_bytes"


def default_max_bytes(root: Path) -> int:
    """20 GB, or a quarter of free space and cache size together, whichever is less."""
    return min(MAX_BYTES, (shutil.disk_usage(root).free + tree_bytes(root)) // 4)


def max_bytes_of(root: Path) -> int:
    """The size limit of this cache: the one that was set, or the default.

    Raises:
        DamagedFileError: what was set is not a number from 0.
    """
    limit = set_limit_of(root)
    return default_max_bytes(root) if limit is None else limit


def usable_max_bytes(root: Path) -> int:
    """As `max_bytes_of`; a damaged limit costs a warning, not the trial that opens the cache."""
    try:
        return max_bytes_of(root)
    except DamagedFileError as error:
        _LOG.warning("%s; the default limit applies until `cache limit` sets one", error)
        return default_max_bytes(root)


def set_limit_of(root: Path) -> int | None:
    """The size limit that was set for this cache; None: none was.

    Raises:
        DamagedFileError: it is not a number from 0.
    """
    file = root / _LIMIT
    with naming_damage(file):
        if not file.exists():
            return None
        limit = int(file.read_text("ascii"))
        if limit < 0:
            raise ValueError(f"{limit} is below 0")
        return limit


def set_max_bytes(root: Path, max_bytes: int | None) -> None:
    """Set the size limit of this cache; None restores the default."""
    if max_bytes is None:
        (root / _LIMIT).unlink(missing_ok=True)
    else:
        write_atomically(root / _LIMIT, str(max_bytes).encode())
