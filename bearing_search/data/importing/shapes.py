"""Outlines, run lengths and colours of labelling tools -> masks.

Coordinates are pixels of the image: x to the right, y down, the origin in the corner of the first
pixel. Axis letters: h, w rows and columns; n points.
"""

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Int, UInt8, UInt16

from bearing_search.data.samples import Sample, read_image, read_mask
from bearing_search.errors import DataError

Points = Sequence[Sequence[float]]
Mask = Bool[np.ndarray, "h w"]
_FAR = 100_000
"""Limit to which corners far outside the image are clipped, in pixels."""

_CHARACTERS = range(48, 112)
"""Codes of compressed runs: six bits each; the highest means that another one follows."""


def empty(height: int, width: int) -> Mask:
    """A mask that marks nothing, h x w.

    Raises:
        DataError: the size is invalid.
    """
    if not (0 < height <= 65535 and 0 < width <= 65535):
        raise DataError(f"a mask of {width}x{height} pixels is not possible")
    return np.zeros((height, width), dtype=bool)


def add_polygon(mask: Mask, points: Points) -> None:
    """Mark the inside of an outline, its border included.

    Raises:
        DataError: a coordinate is not a number.
    """
    found = np.asarray(points, dtype=float).reshape(-1, 2)
    if not np.isfinite(found).all():
        raise DataError("an outline has a corner that is not a number")
    outline = np.round(found.clip(-_FAR, _FAR)).astype(np.int32).reshape(-1, 1, 2)
    drawn = np.zeros(mask.shape, dtype=np.uint8)
    cv2.fillPoly(drawn, [outline], 1)
    mask |= drawn > 0


def add_rectangle(mask: Mask, left: float, top: float, right: float, bottom: float) -> None:
    """Mark a box, given by opposite corners in any order."""
    left, right = sorted((left, right))
    top, bottom = sorted((top, bottom))
    rows, columns = _span(top, bottom), _span(left, right)
    mask[rows, columns] = True


def add_ellipse(mask: Mask, centre: Sequence[float], radii: Sequence[float]) -> None:
    """Mark an axis-aligned ellipse."""
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    across = (x + 0.5 - centre[0]) / max(radii[0], 0.5)
    down = (y + 0.5 - centre[1]) / max(radii[1], 0.5)
    mask |= across**2 + down**2 <= 1


def add_window(mask: Mask, window: Bool[np.ndarray, "height width"], left: int, top: int) -> None:
    """Mark what a smaller mask with its corner at (left, top) marks; the rest is clipped."""
    height, width = window.shape
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + height, mask.shape[0]), min(left + width, mask.shape[1])
    if y1 > y0 and x1 > x0:
        mask[y0:y1, x0:x1] |= window[y0 - top : y1 - top, x0 - left : x1 - left]


def runs_to_mask(counts: Sequence[int], height: int, width: int, *, by_columns: bool) -> Mask:
    """The mask of run lengths that alternate between unmarked and marked pixels.

    Args:
        by_columns: pixels are counted down the columns, as in COCO; else along the rows.

    Raises:
        DataError: the runs do not fill the mask.
    """
    lengths = np.asarray(counts, dtype=np.int64)
    mask = empty(height, width)
    if (lengths < 0).any() or lengths.sum() != height * width:
        raise DataError(f"the runs of a mask cover {lengths.sum()} pixels, not {width}x{height}")
    marks = np.arange(len(lengths)) % 2 == 1
    flat: Bool[np.ndarray, " n"] = np.repeat(marks, lengths)
    if by_columns:
        return np.ascontiguousarray(flat.reshape(width, height).T)
    return flat.reshape(mask.shape)


def decompress_runs(text: str) -> list[int]:
    """The run lengths of COCO's compressed text.

    Each number is written five bits at a time, lowest first, as characters from 48 up; bit 5 means
    that more follow, and bit 4 of the last one that the number is negative. From the fourth number
    on, the difference from the number two before is written.

    Raises:
        DataError: the text is not valid.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        if ord(character) not in _CHARACTERS:
            raise DataError(f"the runs of a mask contain the character {character!r}")
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise DataError("the runs of a mask end within a number")
    return counts


def decode_embedded(text: str) -> Mask:
    """The mask in an image embedded as base64.

    Raises:
        DataError: the text is not an image.
    """
    try:
        content = base64.b64decode(text, validate=True)
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    except (binascii.Error, cv2.error):
        pixels = None
    if pixels is None:
        raise DataError("an embedded mask is not an image")
    mask: Mask = pixels > 0
    return mask


def mask_of_colours(
    file: Path, colours: Sequence[tuple[int, int, int]], *, are_background: bool
) -> Mask:
    """The mask in an image with a colour for each class; transparent pixels are not marked.

    Args:
        colours: RGB, of the background or of what is marked.
        are_background: the colours are those of the background.

    Raises:
        DataError: the file cannot be read.
    """
    pixels = _decode(file)
    if pixels.dtype != np.uint8:
        raise DataError(f"{file}: not an 8-bit mask; wanted one with a colour for each class.")
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    keys = _keys(pixels[..., 2::-1].astype(np.int32))
    wanted = _keys(np.asarray(colours, dtype=np.int32).reshape(-1, 3))
    mask: Mask = np.isin(keys, wanted, invert=are_background)
    if pixels.shape[2] == 4:
        mask &= pixels[..., 3] > 0
    return mask


def size_of(file: Path) -> tuple[int, int]:
    """Height and width of an image, as decoded everywhere.

    Raises:
        DataError: it cannot be read.
    """
    height, width = read_image(file).shape[:2]
    return height, width


def united(masks: Sequence[Path], picture: Path) -> Mask:
    """The union of an image's mask files, decoded as everywhere.

    Raises:
        DataError: a file cannot be read, or a mask differs in size from the image.
    """
    sample = Sample(
        part=picture.parent.name,
        split="train",
        defect="",
        name=picture.stem,
        group="",
        is_anomalous=True,
        level_files=(picture,),
        mask_file=masks[0],
        more_mask_files=tuple(masks[1:]),
    )
    return read_mask(sample, size_of(picture))


def _decode(file: Path) -> UInt8[np.ndarray, "h w *c"] | UInt16[np.ndarray, "h w *c"]:
    try:
        content = np.frombuffer(file.read_bytes(), np.uint8)
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    try:
        pixels = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    except cv2.error:
        pixels = None
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise DataError(f"{file}: not a readable image. Replace the file.")
    decoded: UInt8[np.ndarray, "h w *c"] | UInt16[np.ndarray, "h w *c"] = pixels
    return decoded


def _keys(rgb: Int[np.ndarray, "*n c"]) -> Int[np.ndarray, "*n"]:
    keys: Int[np.ndarray, "*n"] = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
    return keys


def _span(low: float, high: float) -> slice:
    first = max(int(np.floor(low + 0.5)), 0)
    return slice(first, max(int(np.floor(high + 0.5)), first + 1, 0))
