"""Exit statuses that belong to no exception.

Those of exceptions are in `errors`: 10, `ParityError`, and 11, `BundleError`, are of detectors that
`export` writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bearing_search.api.sweep import Sweep

INTERRUPTED = 130
"""Exit status after Ctrl-C or SIGTERM, the shell convention."""

SOME_NG = 12
"""Exit status of `predict --fail-on-ng` if a sample is NG."""

DRIFT = 13
"""Exit status of `drift` if light, fixture, model or mix have certainly changed."""


def session_status(sweep: Sweep) -> int:
    """Exit status of a session: 0, or `INTERRUPTED`."""
    return INTERRUPTED if sweep.outcome is not None and sweep.outcome.interrupted else 0
