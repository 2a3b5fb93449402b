"""How a picture was compressed: by the tables of its JPEG file, or by the traces in its pixels.

Axis letters: h, w rows and columns; r, c rows and columns of blocks; f coefficients of one.
"""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

BLOCK_PX = 8
"""Side of the blocks that JPEG compresses."""

_QUALITIES = (95, 90, 85, 80, 75, 70, 65, 60, 50)
_TRACE_FROM = 0.08
_FINE_FROM = 6
_HEAD_BYTES = 65_536
_TABLE = 0xDB
_SCAN = 0xDA
_STANDARD_SUM = 3_689
"""Sum of the luminance table of the standard (ITU T.81, K.1), which is quality 50."""


def jpeg_quality(file: Path) -> int | None:
    """Quality in [1, 100] as libjpeg counts it; None if the file is no JPEG.

    Other encoders have other tables; theirs is the quality at which libjpeg is as coarse.
    """
    with file.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    table = _first_table(head)
    if table is None:
        return None
    scale = 100.0 * float(table.sum()) / _STANDARD_SUM
    quality = (200 - scale) / 2 if scale <= 100 else 5_000 / scale
    return int(np.clip(round(quality), 1, 100))


def _first_table(head: bytes) -> np.ndarray | None:
    if head[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF and head[at + 1] != _SCAN:
        length = int.from_bytes(head[at + 2 : at + 4])
        if head[at + 1] == _TABLE and at + 4 < len(head):
            wide = head[at + 4] >> 4
            start, size = at + 5, 128 if wide else 64
            if start + size <= len(head):
                return np.frombuffer(head[start : start + size], dtype=">u2" if wide else np.uint8)
        at += 2 + length
    return None


def was_compressed(image: UInt8[np.ndarray, "h w"]) -> bool:
    """Whether a picture has been a JPEG, whatever its file is now.

    On JPEG's own grid far more of its fine coefficients are 0 than on a shifted one. A picture that
    was cropped afterwards, not by whole blocks, does not show it.
    """
    half = BLOCK_PX // 2
    return _zeros(image) - _zeros(image[half:, half:]) >= _TRACE_FROM


def compressed_alike(
    image: UInt8[np.ndarray, "h w"], like: UInt8[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w"]:
    """A picture compressed until its fine coefficients are as small as another one's."""
    wanted = _energy(like)
    tried = [compressed(image, quality) for quality in _QUALITIES]
    return min(tried, key=lambda one: abs(_energy(one) - wanted))


def compressed(image: UInt8[np.ndarray, "h w"], quality: int) -> UInt8[np.ndarray, "h w"]:
    """A picture as it comes back from a JPEG file."""
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


def _zeros(image: UInt8[np.ndarray, "h w"]) -> float:
    """Share of the fine coefficients of its blocks that are 0, in [0, 1]."""
    return float((np.abs(_fine(image)) < 0.5).mean()) if min(image.shape) >= BLOCK_PX else 0.0


def _energy(image: UInt8[np.ndarray, "h w"]) -> float:
    """Mean square of the fine coefficients of its blocks, on a logarithmic scale."""
    if min(image.shape) < BLOCK_PX:
        return 0.0
    return float(np.log(np.square(_fine(image)).mean() + 0.01))


def _fine(image: UInt8[np.ndarray, "h w"]) -> Float32[np.ndarray, "r c f"]:
    """Fine coefficients (discrete cosine transform) of each of its blocks."""
    down, across = image.shape[0] // BLOCK_PX, image.shape[1] // BLOCK_PX
    inner = image[: down * BLOCK_PX, : across * BLOCK_PX].astype(np.float32) - 128
    blocks = inner.reshape(down, BLOCK_PX, across, BLOCK_PX).swapaxes(1, 2)
    fine: Float32[np.ndarray, "r c f"] = (_BASIS @ blocks @ _BASIS.T)[..., _IS_FINE]
    return fine


_BASIS = cv2.dct(np.eye(BLOCK_PX, dtype=np.float32), flags=cv2.DCT_ROWS).T
_IS_FINE = np.add.outer(np.arange(BLOCK_PX), np.arange(BLOCK_PX)) >= _FINE_FROM
