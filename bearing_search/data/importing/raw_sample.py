"""A sample as a foreign layout has it: perhaps without a split, perhaps with shapes for a mask."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from bearing_search.data.samples import Split

Draw = Callable[[], Bool[np.ndarray, "h w"]]
"""Draws a mask that no file of the source holds as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSample:
    """One sample of a data set that is to be brought in; no file is opened for it."""

    part: str
    name: str
    """Should be unique within part, split and defect; where it is not, the suffix is added."""

    level_files: tuple[Path, ...]
    """Brightness 0, 1, ..."""

    split: Split | None = None
    """None: the source does not divide its samples."""

    defect: str = ""
    """Kind of defect; empty: it is normal."""

    group: str = ""
    """The physical thing, where the source names it; empty: the sample is one of its own."""

    mask_files: tuple[Path, ...] = ()
    """Masks that mean "above 0", united if there are several."""

    draw: Draw | None = None
    """How the mask is made where it is no file that can be used as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSet:
    """What a foreign layout holds, and what is to be said of it."""

    samples: tuple[RawSample, ...]

    said: tuple[str, ...] = ()
    """Choices that were made for the user, and files that were left out, a sentence each."""
