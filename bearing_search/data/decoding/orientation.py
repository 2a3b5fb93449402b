"""Reads the EXIF orientation of a file (tag 274), and applies it.

One rule for every format: the tag is applied, to images and masks alike, as viewers and labelling
tools do. OpenCV itself rotates TIFFs; JPEG, PNG and WebP are rotated here. Axis letters: h, w rows
and columns; c colours.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from bearing_search.data.decoding.formats import Format
from bearing_search.data.decoding.png_chunks import png_header

UPRIGHT = 1
_TAG = 274
_EXIF = b"Exif\0\0"


def orientation_of(content: bytes, kind: Format) -> int:
    """EXIF orientation of a JPEG, PNG or WebP, 1 to 8; 1 without a valid tag."""
    match kind:
        case "jpeg":
            found = [_value(exif) for exif in _jpeg_exif(content)]
        case "png":
            found = [_value(png_header(content).exif)]
        case "webp":
            found = [_value(exif) for exif in _webp_exif(content)]
        case _:
            found = []
    return next((value for value in found if value != UPRIGHT), UPRIGHT)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation; 5 to 8 swap height and width."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _value(exif: bytes) -> int:
    if not exif:
        return UPRIGHT
    tags = Image.Exif()
    try:
        tags.load(exif if exif.startswith(_EXIF) else _EXIF + exif)
        value = tags.get(_TAG, UPRIGHT)
    except Exception:  # Pillow raises many kinds on a broken block, which is then ignored
        return UPRIGHT
    return value if isinstance(value, int) and value in range(1, 9) else UPRIGHT


def _jpeg_exif(content: bytes) -> Iterator[bytes]:
    """EXIF blocks among the segments before the image data."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in (0xDA, 0xD9):  # the image data begin, or end
            return
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        data = content[at + 4 : at + 2 + length]
        if marker == 0xE1 and data.startswith(_EXIF):
            yield data
        at += 2 + length


def _webp_exif(content: bytes) -> Iterator[bytes]:
    at = 12
    while at + 8 <= len(content):
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        if content[at : at + 4] == b"EXIF":
            yield content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
