"""A change between two sessions that somebody agreed to."""

from dataclasses import dataclass
from typing import Literal

Changeable = Literal["space", "code"]
"""What `--accept-change` may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedChange:
    """Kept in sweep.json, and shown in every report."""

    what: Changeable
    date: str
    lines: tuple[str, ...]
    """The difference: `- key: before`, `+ key: after`."""

    @property
    def sentence(self) -> str:
        """The change, as every report states it."""
        hint = "; scores before and after may differ by it" if self.what == "code" else ""
        return f"{self.what.upper()} CHANGED on {self.date}: {', '.join(self.lines)}{hint}."
