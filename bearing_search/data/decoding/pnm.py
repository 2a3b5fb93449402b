"""Decodes PGM, PPM and PBM with any maximum: OpenCV leaves their values unscaled.

Axis letters: h, w rows and columns; c colours.
"""

import re

import numpy as np
from jaxtyping import UInt8, UInt16

from bearing_search.errors import DataError

_COMMENT = re.compile(rb"#[^\n\r]*")
_HEADER = re.compile(rb"P([1-6])(?:\s+|#[^\n\r]*[\n\r])+")
_TOKEN = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*(\d+)")
_MOST_NUMBERS = 2**30


def pnm_maximum(head: bytes) -> int:
    """The largest pixel value that a file's header allows; 1 for PBM.

    Raises:
        DataError: the header is broken.
    """
    return _header(head, "the file")[3]


def decode_pnm(
    content: bytes, name: str
) -> tuple[UInt8[np.ndarray, "h w *c"] | UInt16[np.ndarray, "h w *c"], int | None]:
    """Grey (h w) or RGB (h w 3) of 8 or 16 bits, and the depth implied by the maximum.

    A maximum below 255 is scaled to 255. Maxima such as 1023 and 4095 are kept and stated (10, 12
    bits); others above 255 are scaled to 65535, which is stated as 16.

    Args:
        name: the file's name in messages.

    Raises:
        DataError: the header is broken, or pixels are missing or above the maximum.
    """
    kind, width, height, maximum, start = _header(content, name)
    colours = 3 if kind in (3, 6) else 1
    count = width * height * colours
    if not 0 < count <= _MOST_NUMBERS or not 0 < maximum <= 65535:
        raise DataError(f"{name}: has {width}x{height}, maximum {maximum}. Save it again as PNG.")
    numbers = _numbers(content[start:], kind, (width, height, count), maximum)
    if numbers.size < count:
        raise DataError(f"{name}: is truncated. Copy it again, or remove the sample.")
    if kind in (1, 4):
        numbers = 1 - numbers  # 1 is black
    if int(numbers.max()) > maximum:
        raise DataError(
            f"{name}: holds {numbers.max()}, above its maximum {maximum}. Save it again as PNG."
        )
    pixels, bits = _scaled(numbers[:count], maximum)
    shape = (height, width, 3) if colours == 3 else (height, width)
    return pixels.reshape(shape), bits


def _header(content: bytes, name: str) -> tuple[int, int, int, int, int]:
    """Number of the kind, width, height, maximum, and the offset of the pixels."""
    match = _HEADER.match(content)
    at, values = (match.end() if match else 0), []
    kind = int(match[1]) if match else 0
    wanted = 2 if kind in (1, 4) else 3
    for _ in range(wanted):
        token = _TOKEN.match(content, at)
        if token is None or len(token[1]) > 9:
            break
        values.append(int(token[1]))
        at = token.end()
    if not match or len(values) < wanted:
        raise DataError(f"{name}: not a readable image. Replace the file, or remove the sample.")
    maximum = values[2] if wanted == 3 else 1
    return kind, values[0], values[1], maximum, at + 1  # one blank ends the header


def _numbers(data: bytes, kind: int, size: tuple[int, int, int], maximum: int) -> np.ndarray:
    width, height, count = size
    match kind:
        case 1:
            digits = np.frombuffer(re.sub(rb"\s", b"", _COMMENT.sub(b"", data)), np.uint8)
            return digits[:count] - ord("0")
        case 2 | 3:
            tokens = _COMMENT.sub(b"", data).split()[:count]
            return np.array([int(token) if token.isdigit() else -1 for token in tokens], np.int64)
        case 4:
            row = -(-width // 8)
            packed = np.frombuffer(data[: row * height], np.uint8)
            if packed.size < row * height:
                return packed[:0]
            bits = np.unpackbits(packed.reshape(height, row), axis=1)[:, :width]
            return bits.reshape(-1)
    kind_of_number = np.dtype(">u2") if maximum > 255 else np.dtype("u1")
    whole = len(data) // kind_of_number.itemsize
    return np.frombuffer(data, kind_of_number, count=min(count, whole))


def _scaled(numbers: np.ndarray, maximum: int) -> tuple[np.ndarray, int | None]:
    wide = numbers.astype(np.int64)
    if maximum <= 255:
        return (wide * 255 // maximum).astype(np.uint8), None
    if maximum == 65535:
        return wide.astype(np.uint16), None
    if maximum & (maximum + 1) == 0:
        bits = maximum.bit_length()
        return (wide.astype(np.uint16), bits) if bits > 8 else (wide.astype(np.uint8), None)
    return (wide * 65535 // maximum).astype(np.uint16), 16
