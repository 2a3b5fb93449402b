"""How many bits of 16 a part's images use: one value for the whole part and all its levels.

Images of 10-, 12- and 14-bit cameras are commonly saved in 16-bit files. The depth that the files
state (sBIT, MaxSampleValue, SignificantBits, the maximum of a PGM, a JPEG 2000's depth) is used if
the values fit; otherwise it is inferred from the largest value in all training files. Axis letters:
h, w rows and columns; c colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8, UInt16

from bearing_search.data.decoding.picture import Picture
from bearing_search.errors import DataError

DEPTHS = (8, 10, 12, 14, 16)
"""Depths that can be inferred; a stated depth may lie between them."""

FULL = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDepth:
    """What one file reveals about its depth."""

    container: int
    """8 or 16: bits per value in memory."""

    stated: int | None = None
    """Depth that the file states, 9 to 16; None: it states none."""

    peak: int = 0
    """Largest value; only for 16-bit files."""

    used: int = 0
    """Bitwise OR of all values; its trailing zeros are common to all of them."""

    is_8_bit_scaled: bool = False
    """Every value is a multiple of 257: 8 bits, spread over 16."""

    @property
    def is_left_aligned(self) -> bool:
        """The lowest two bits or more are never used: fewer bits, shifted to the top."""
        return self.used != 0 and self.used & 3 == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDepth:
    """The bit depth of a part."""

    bits: int
    """8: all files have 8 bits; else the number of bits used of 16."""

    why: str
    """How it was determined, for messages."""

    doubt: str = ""
    """What else the files may be; empty: there is no doubt."""


def depth_of(picture: Picture) -> FileDepth:
    """Measure one decoded file."""
    pixels = picture.pixels
    if pixels.dtype == np.uint8:
        return FileDepth(container=8)
    used = int(np.bitwise_or.reduce(pixels, axis=None)) if pixels.size else 0
    return FileDepth(
        container=16,
        stated=picture.stated_bits,
        peak=int(pixels.max(initial=0)),
        used=used,
        is_8_bit_scaled=bool((pixels % 257 == 0).all()),
    )


def depth_of_part(files: Sequence[FileDepth]) -> PartDepth:
    """The depth that all files of a part share.

    Args:
        files: of the training side, all levels.
    """
    wide = [file for file in files if file.container == FULL]
    if not wide:
        return PartDepth(bits=8, why="8-bit files")
    peak = max(file.peak for file in wide)
    stated = sorted({file.stated for file in wide if file.stated is not None})
    if stated and peak < 2 ** stated[-1]:
        numbers = [str(bits) for bits in stated]
        numbers += ["nothing"] * any(file.stated is None for file in wide)
        doubt = f"some files state {' and some '.join(numbers)}" if len(numbers) > 1 else ""
        return PartDepth(bits=stated[-1], why="as the files state", doubt=doubt)
    guess = next(bits for bits in DEPTHS if peak < 2**bits)
    if all(file.is_8_bit_scaled for file in wide) and peak:
        return PartDepth(bits=FULL, why="8 bits spread over 16")
    if guess == FULL:
        return PartDepth(bits=FULL, why=f"largest value {peak}")
    is_aligned = all(file.is_left_aligned for file in wide if file.peak)
    if guess == 14 and is_aligned:
        return PartDepth(bits=FULL, why="the low bits are unused: shifted to the top of 16")
    doubt = ""
    if guess == 8:
        doubt = "they may have 16 bits and be nearly black"
    elif is_aligned:
        doubt = "they may be underexposed images of fewer bits, shifted to the top of 16"
    return PartDepth(bits=guess, why=f"largest value {peak}", doubt=doubt)


def misfit(picture: Picture, bits: int) -> str:
    """Why a file does not fit its part's depth; empty if it does.

    Args:
        bits: of the part; 8 means that all training files have 8 bits.
    """
    if picture.pixels.dtype == np.uint8 or bits == FULL:
        return ""
    peak = int(picture.pixels.max(initial=0))
    if bits == 8 and peak >= 2**14:
        return ""  # uses all 16 bits: equivalent once scaled
    if bits == 8 and peak > 255:
        return f"holds values up to {peak} in 16 bits, but the training files have 8 bits"
    if peak >= 2**bits:
        return f"holds the value {peak}, which exceeds {bits} bits ({2**bits - 1})"
    return ""


def to_8_bits(picture: Picture, bits: int | None) -> UInt8[np.ndarray, "h w *c"]:
    """Pixels of an image in [0, 255]: v // 257 for 16 bits, for fewer their eight highest bits.

    Args:
        bits: of the part; None: as the file states, else all 16.
    """
    pixels: UInt8[np.ndarray, "h w *c"] | UInt16[np.ndarray, "h w *c"] = picture.pixels
    if pixels.dtype == np.uint16:
        depth = bits if bits is not None else picture.stated_bits or FULL
        is_full = depth == FULL or (depth == 8 and int(pixels.max(initial=0)) >= 2**14)
        pixels = (pixels // 257 if is_full else pixels >> (depth - 8)).astype(np.uint8)
    return 255 - pixels if picture.is_inverted else pixels


def brightness_of(picture: Picture, bits: int | None, *, name: str) -> UInt8[np.ndarray, "h w *c"]:
    """A decoded brightness level in [0, 255]: grey (h w), also where all colours are equal, or RGB.

    Args:
        picture: as decoded.
        bits: depth of its part; None: as the picture states, else all of its bits.
        name: of the file, in messages.

    Raises:
        DataError: it does not fit the depth of its part.
    """
    reason = "" if bits is None else misfit(picture, bits)
    if reason:
        raise DataError(
            f"{name}: {reason}; all files of a part need one depth. Export it like the others, or "
            "set the depth in preprocess.bits."
        )
    pixels = to_8_bits(picture, bits)
    if pixels.ndim == 3:
        first, *others = (cv2.extractChannel(pixels, channel) for channel in range(3))
        if all(np.array_equal(first, other) for other in others):
            return np.asarray(first, dtype=np.uint8)
    return np.ascontiguousarray(pixels)
