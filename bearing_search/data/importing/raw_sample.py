"""A sample in a foreign layout: it may lack a split, and may have shapes instead of a mask."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from bearing_search.data.samples import Split

Draw = Callable[[], Bool[np.ndarray, "h w"]]
"""Renders a mask that the source does not have as a usable file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSample:
    """One sample of a data set to be imported; its files have not been opened."""

    part: str
    name: str
    """Should be unique within part, split and defect; otherwise folders or suffix are added."""

    level_files: tuple[Path, ...]
    """Brightness 0, 1, ..."""

    split: Split | None = None
    """None: the source does not divide its samples."""

    defect: str = ""
    """Kind of defect; empty if it is normal."""

    group: str = ""
    """The physical object, if the source names it; empty: the sample is its own group."""

    mask_files: tuple[Path, ...] = ()
    """Masks in which values above 0 are marked; merged if there are several."""

    draw: Draw | None = None
    """Renders the mask if there is no usable mask file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSet:
    """The samples of a foreign layout, with messages about them."""

    samples: tuple[RawSample, ...]

    said: tuple[str, ...] = ()
    """Choices made for the user, and files left out, one sentence each."""
