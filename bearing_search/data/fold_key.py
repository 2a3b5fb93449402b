"""The key of one fold of one part: `LC/fold0`, and `LC/all` where all of train was trained on.

It names the folder of a unit below its trial's, and stands in metric names, JSON and MLflow tags.
"""

import re
from dataclasses import dataclass
from typing import Literal

TOGETHER = "all"
"""Where parts that are trained together keep what they share; no part may have this name then."""

Fold = int | Literal["all"]
"""Number of a fold, from 0; `all`: nothing was held out, the unit is scored on test."""

_KEY = re.compile(r"(?P<part>[^/]+)/(?:fold(?P<number>0|[1-9][0-9]*)|all)")


@dataclass(frozen=True, slots=True)
class FoldKey:
    """Part and fold of one unit; `str` gives the key, `parse` reads it.

    Raises:
        ValueError: no key can be made of them.
    """

    part: str
    """A part's name, or `TOGETHER`."""

    fold: Fold

    def __post_init__(self) -> None:
        if _KEY.fullmatch(str(self)) is None:
            raise ValueError(
                f"{self.part!r}, {self.fold!r}: a key wants a part's name without / and a fold "
                "from 0 up, or 'all'"
            )

    def __str__(self) -> str:
        return f"{self.part}/{'all' if self.fold == 'all' else f'fold{self.fold}'}"

    @classmethod
    def parse(cls, key: str) -> "FoldKey":
        """The key that was written as text.

        Raises:
            ValueError: it is none.
        """
        match = _KEY.fullmatch(key)
        if match is None:
            raise ValueError(f"{key!r}: no key of a fold; wanted <part>/fold<number> or <part>/all")
        number = match["number"]
        return cls(match["part"], "all" if number is None else int(number))
