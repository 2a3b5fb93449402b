"""Exit statuses that are no error's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bearing_search.api.sweep import Sweep

INTERRUPTED = 130
"""Exit status after Ctrl-C or SIGTERM, as shells have it."""


def session_status(sweep: Sweep) -> int:
    """Exit status of the session that has just run a sweep: 0, or `INTERRUPTED`."""
    return INTERRUPTED if sweep.outcome is not None and sweep.outcome.interrupted else 0
