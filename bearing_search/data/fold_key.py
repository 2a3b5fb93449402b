"""The key of one fold of one part: `LC/fold0`, or `LC/all` for training on all of train.

It names a unit's folder inside its trial's, and appears in metric names, JSON and MLflow tags.
"""

import re
from dataclasses import dataclass
from typing import Literal

TOGETHER = "all"
"""Name for what parts trained together share; no part may then have this name."""

Fold = int | Literal["all"]
"""Number of a fold, from 0; `all`: nothing is held out, and the unit is scored on test."""

_KEY = re.compile(r"(?P<part>[^/]+)/(?:fold(?P<number>0|[1-9][0-9]*)|all)")


@dataclass(frozen=True, slots=True)
class FoldKey:
    """Part and fold of one unit; `str` gives the key, `parse` reads it.

    Raises:
        ValueError: the part or the fold is invalid.
    """

    part: str
    """A part's name, or `TOGETHER`."""

    fold: Fold

    def __post_init__(self) -> None:
        if _KEY.fullmatch(str(self)) is None:
            raise ValueError(
                f"{self.part!r}, {self.fold!r}: a key needs a part name without / and a fold "
                "number from 0, or 'all'"
            )

    def __str__(self) -> str:
        return f"{self.part}/{'all' if self.fold == 'all' else f'fold{self.fold}'}"

    @classmethod
    def parse(cls, key: str) -> "FoldKey":
        """Parse a key.

        Raises:
            ValueError: the text is not a key.
        """
        match = _KEY.fullmatch(key)
        if match is None:
            raise ValueError(f"{key!r}: not a fold key; wanted <part>/fold<number> or <part>/all")
        number = match["number"]
        return cls(match["part"], "all" if number is None else int(number))
