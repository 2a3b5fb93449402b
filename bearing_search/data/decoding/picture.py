"""What decoding gives: one page of a file, before its numbers are scaled.

Axis letters: h, w rows and columns; c colours.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8, UInt16

from bearing_search.data.decoding.orientation import turned


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One page, upright."""

    pixels: UInt8[np.ndarray, "h w *c"] | UInt16[np.ndarray, "h w *c"]
    """Grey (h w) or RGB (h w 3), as stored; of a palette the indices, where they were asked for."""

    alpha: np.ndarray | None = None
    """Opacity (h w), 0 transparent; None: the file has none."""

    stated_bits: int | None = None
    """Depth that the file states for its numbers; 16: they fill 16 bits. None: it states none."""

    is_inverted: bool = False
    """The largest number is black (MinIsWhite); not undone in `pixels`."""

    is_lossy: bool = False
    """Its compression may change numbers."""

    def upright(self, orientation: int) -> "Picture":
        """Turned as its EXIF orientation says."""
        alpha = None if self.alpha is None else turned(self.alpha, orientation)
        return replace(self, pixels=turned(self.pixels, orientation), alpha=alpha)


def from_opencv(pixels: np.ndarray) -> Picture:
    """OpenCV's grey, BGR or BGRA as a picture."""
    if pixels.ndim == 2:
        return Picture(pixels=pixels)
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    return Picture(pixels=pixels[..., 2::-1], alpha=alpha)
