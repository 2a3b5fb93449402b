"""What a reader has to say of a data set that it has read."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing that a user should know of how files became samples; `check` shows it."""

    severity: Literal["warning", "note"]
    kind: str
    """What it is about, as a word: `left out`, `layout`, `encoding`, ..."""

    text: str
    """What was found, without a full stop."""

    advice: str = ""
    """What to do, without a full stop; empty: nothing."""

    part: str = ""
    """The part it is about; empty: the whole set."""

    files: tuple[str, ...] = ()
    """Names of the files it is about, all of them."""
