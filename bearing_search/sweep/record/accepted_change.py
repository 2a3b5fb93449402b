"""A change between two sessions that the user accepted."""

from dataclasses import dataclass
from typing import Literal

Changeable = Literal["space", "code"]
"""Values of `--accept-change`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedChange:
    """An accepted change, stored in sweep.json and shown in every report."""

    what: Changeable
    date: str
    lines: tuple[str, ...]
    """The difference: `- key: before`, `+ key: after`."""

    @property
    def sentence(self) -> str:
        """The change as stated in every report."""
        hint = "; scores before and after may differ because of it" if self.what == "code" else ""
        return f"{self.what.upper()} CHANGED on {self.date}: {', '.join(self.lines)}{hint}."
