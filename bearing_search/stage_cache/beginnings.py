"""Drops what only leads to a trial's distances, once no trial goes on from it. No torch."""

from collections.abc import Callable, Collection
from pathlib import Path

from bearing_search.stage_cache.eviction import (
    EntryInfo,
    discard,
    empty_trash,
    list_entries,
    locked,
)

_STEPS: Collection[str] = ("tuning",)
"""Stages that only lead to another one; they hold the optimiser's moments, too."""

_LAST_STEPS: Collection[str] = ("detector",)
"""Stages from which distances are computed and nothing else."""


def drop_beginnings(
    root: Path,
    *,
    is_over: Callable[[str], bool],
    may_share_encoders: bool,
    keep_encoders_of: Collection[str] = (),
) -> list[EntryInfo]:
    """Delete what no trial goes on from, and return it; other trials can compute it again.

    These are stopped work, the first epochs of fine-tunings, detectors that one trial used and,
    unless `may_share_encoders`, fine-tuned encoders that one trial used. An output is kept if a
    trial of a sweep that goes on has used it, or a running one needs it.

    Args:
        root: the cache.
        is_over: whether a sweep has all its trials.
        may_share_encoders: whether later trials could train other detectors on the same encoders.
        keep_encoders_of: trials whose encoders are kept in any case, as `sweep/trials/00003`.
    """
    if not root.is_dir():
        return []

    def is_beginning(found: EntryInfo) -> bool:
        if found.state == "stopped" or found.stage in _STEPS:
            return True
        if len(found.users) > 1 or found.state != "done":
            return False
        is_encoder = found.stage == "encoder" and not may_share_encoders
        is_kept = set(found.users) & set(keep_encoders_of)
        return found.stage in _LAST_STEPS or (is_encoder and not is_kept)

    with locked(root):
        dropped = [
            found
            for found in list_entries(root)
            if found.is_free
            and found.users
            and is_beginning(found)
            and all(is_over(sweep) for sweep in {user.partition("/")[0] for user in found.users})
        ]
        for found in dropped:
            discard(root, found.home)
    empty_trash(root)
    return dropped
