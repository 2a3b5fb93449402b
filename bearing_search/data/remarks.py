"""Remarks of a reader on a data set."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing that users should know about how files became samples; `check` shows it."""

    severity: Literal["warning", "note"]
    kind: str
    """Its topic: `left out`, `layout`, `encoding`, ..."""

    text: str
    """What was found, without a full stop."""

    advice: str = ""
    """What to do, without a full stop; empty: nothing."""

    part: str = ""
    """The part it is about; empty: the whole set."""

    files: tuple[str, ...] = ()
    """Names of all files it is about."""
