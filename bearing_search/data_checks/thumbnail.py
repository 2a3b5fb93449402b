"""An image made small, and the two descriptions of it that near copies are looked for with.

Axis letters: h, w rows and columns; s side of a square; c colours; d numbers of a description.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from bearing_search.preprocess.contrast import grey

SIDE_PX = 320
"""Largest side of a thumbnail. At 128 px, different parts before one background look the same."""

_SMALLEST_PX = 64
_CODE_PX = 32
_FLAT_LEVELS = 0.5
"""Below this deviation of its fine structure, in grey levels, an image shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """One brightness level of one sample."""

    owner: int
    """Position of the sample."""

    level: int
    """Brightness, 0 the brightest."""

    pixels: UInt8[np.ndarray, "s s"]
    """Squeezed to a square, whose side the image itself has at least."""


def thumbnail_of(image: UInt8[np.ndarray, "h w *c"], *, owner: int, level: int) -> Thumbnail | None:
    """The thumbnail of an image; None where it shows nothing, as black images do."""
    plain = grey(image)
    side = max(_SMALLEST_PX, min(SIDE_PX, *plain.shape) // 32 * 32)
    pixels = cv2.resize(plain, (side, side), interpolation=cv2.INTER_AREA)
    fine = _without_trend(pixels.astype(np.float32), 2.0)
    if float(fine.std()) < _FLAT_LEVELS:
        return None
    return Thumbnail(owner=owner, level=level, pixels=pixels)


def turned(image: np.ndarray, orientation: int) -> np.ndarray:
    """One of the eight orientations: quarter turns in 0 to 3, mirrored after them in 4 to 7."""
    rotated = np.rot90(image, orientation % 4)
    return np.ascontiguousarray(rotated[:, ::-1] if orientation >= 4 else rotated)


def resized(image: np.ndarray, side: int) -> Float32[np.ndarray, "t t"]:
    """A square image at another side, by areas."""
    plain = image.astype(np.float32)
    if len(plain) == side:
        return plain
    small: Float32[np.ndarray, "t t"] = cv2.resize(
        plain, (side, side), interpolation=cv2.INTER_AREA
    )
    return small


def structure(
    image: Float32[np.ndarray, "s s"], *, sigma: float = 1.0
) -> Float32[np.ndarray, "s s"]:
    """Fine structure with its local contrast taken out: lamps and edges count like grain.

    Neither gain nor offset of the image changes it, as long as its noise stays below its grain.

    Args:
        sigma: of the blur that is taken away; what is much larger is no structure.
    """
    return _even(_without_trend(image, sigma), spread=4.0, noise=1.5)


def code(image: Float32[np.ndarray, "s s"], *, cropped: float = 0.0) -> Float32[np.ndarray, "k k"]:
    """A perceptual hash of 32 x 32 real numbers, of mean 0 and length 1.

    Its product with another is a correlation. Binary hashes of 64 bits (pHash) say less: parts
    that are photographed alike share them.

    Args:
        cropped: share of the image's side that is cut away, half of it on either side.
    """
    cut = round(cropped / 2 * len(image))
    inner = image[cut : len(image) - cut, cut : len(image) - cut]
    small = cv2.resize(inner, (_CODE_PX, _CODE_PX), interpolation=cv2.INTER_AREA)
    even = _even(
        cv2.GaussianBlur(small, (0, 0), 0.8) - cv2.GaussianBlur(small, (0, 0), 4),
        spread=6.0,
        noise=1.0,
    )
    even -= even.mean()
    unit: Float32[np.ndarray, "k k"] = even / max(float(np.linalg.norm(even)), 1e-6)
    return unit


def _without_trend(image: Float32[np.ndarray, "s s"], sigma: float) -> Float32[np.ndarray, "s s"]:
    fine: Float32[np.ndarray, "s s"] = image - cv2.GaussianBlur(image, (0, 0), sigma)
    return fine


def _even(
    fine: Float32[np.ndarray, "s s"], *, spread: float, noise: float
) -> Float32[np.ndarray, "s s"]:
    local = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), spread)) + noise
    even: Float32[np.ndarray, "s s"] = fine / local
    return even
