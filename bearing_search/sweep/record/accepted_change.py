"""A change between two sessions that the user accepted."""

from dataclasses import dataclass
from typing import Literal

Changeable = Literal["space", "code"]
"""Values of `--accept-change`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedChange:
    """An accepted change, stored in sweep.json and shown in every report."""

    what: Changeable | Literal["data"]
    """`data`: by `evaluate --refit-changed-data`, which trained on what lay in train then."""

    date: str
    lines: tuple[str, ...]
    """The difference: `- key: before`, `+ key: after`."""

    @property
    def sentence(self) -> str:
        """The change as stated in every report."""
        return f"{self.what.upper()} CHANGED on {self.date}: {', '.join(self.lines)}{self._hint}."

    @property
    def _hint(self) -> str:
        match self.what:
            case "code":
                return "; scores before and after may differ because of it"
            case "data":
                return (
                    "; `evaluate` trained on the new data, while settings and thresholds were "
                    "chosen on the old"
                )
            case _:
                return ""
