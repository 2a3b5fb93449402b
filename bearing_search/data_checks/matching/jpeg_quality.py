"""The quality at which a JPEG file was saved, by its own quantisation table."""

from pathlib import Path

import numpy as np

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
