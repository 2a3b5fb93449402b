"""Lists of names in sentences."""

from collections.abc import Sequence

MOST = 20
"""Names that fit into a line which is to be read."""


def first_of(names: Sequence[str], most: int = MOST) -> str:
    """The first names, and how many more there are: `a, b and 7 more`; empty if there are none."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
