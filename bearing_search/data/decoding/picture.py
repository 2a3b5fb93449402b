"""The result of decoding: one page of a file, before its values are scaled.

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
    """Grey (h w) or RGB (h w 3), as stored; for a palette the indices, if requested."""

    alpha: np.ndarray | None = None
    """Opacity (h w), 0 is transparent; None: the file has none."""

    stated_bits: int | None = None
    """Depth that the file states for its values; 16: they fill 16 bits. None: it states none."""

    is_inverted: bool = False
    """The largest value is black (MinIsWhite); not undone in `pixels`."""

    is_lossy: bool = False
    """Its compression may change values."""

    def upright(self, orientation: int) -> "Picture":
        """Apply an EXIF orientation."""
        alpha = None if self.alpha is None else turned(self.alpha, orientation)
        return replace(self, pixels=turned(self.pixels, orientation), alpha=alpha)


def from_opencv(pixels: np.ndarray) -> Picture:
    """Convert OpenCV's grey, BGR or BGRA to a `Picture`."""
    if pixels.ndim == 2:
        return Picture(pixels=pixels)
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    return Picture(pixels=pixels[..., 2::-1], alpha=alpha)
