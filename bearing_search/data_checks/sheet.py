"""Pairs of findings side by side, for people to look at.

The only picture that the guard makes of test images: it goes into a file, not to the caller.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from bearing_search.data.samples import read_image
from bearing_search.data_checks.copies import how_turned
from bearing_search.data_checks.findings import Finding
from bearing_search.data_checks.thumbnail import turned

MOST_PAIRS = 24
"""More are named in the text only."""

_CELL = 250
_GAP = 10
_HEAD = 72
_BLOCKS = 2
"""Pairs in a row."""

_BACKGROUND, _TEXT, _FAINT = 24, (235, 235, 235), (160, 160, 160)
_COLOURS = {"leak": (255, 110, 90), "warning": (240, 200, 70)}
_SAID = {
    "group": "one group on both sides",
    "file": "the same file",
    "copy": "one photograph",
    "again": "the same thing, photographed again?",
    "name": "names that look like one thing",
    "label": "labelled normal, with a mask",
}
_Picture = UInt8[np.ndarray, "_ _ 3"]
"""RGB, of any size."""


def write_sheet(findings: Sequence[Finding], file: Path) -> bool:
    """Draw every finding that has two images; returns whether there was any.

    The first of a pair is turned to lie like the second, and each image has its greys stretched,
    so that copies lit anew look alike.
    """
    pairs = [found for found in findings if len(found.files) == 2]
    if not pairs:
        return False
    blocks = [_block(found) for found in pairs[:MOST_PAIRS]]
    rows = [_row(blocks[start : start + _BLOCKS]) for start in range(0, len(blocks), _BLOCKS)]
    if len(pairs) > MOST_PAIRS:
        last = _blank(40, rows[0].shape[1])
        _write(last, f"and {len(pairs) - MOST_PAIRS} more pairs", (_GAP, 26), _TEXT, 0.5)
        rows.append(last)
    _, encoded = cv2.imencode(".png", np.vstack(rows)[..., ::-1])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encoded.tobytes())
    return True


def _row(blocks: Sequence[_Picture]) -> _Picture:
    """Blocks side by side, as high as the highest."""
    height = max(len(block) for block in blocks) + _GAP
    row = _blank(height, _BLOCKS * (2 * (_CELL + _GAP) + 2 * _GAP))
    for number, block in enumerate(blocks):
        left = number * (2 * (_CELL + _GAP) + 2 * _GAP)
        row[: len(block), left : left + block.shape[1]] = block
    return row


def _block(found: Finding) -> _Picture:
    first, second = (_shown(Path(file)) for file in found.files)
    cells = [_fitted(turned(first, found.orientation)), _fitted(second)]
    titles = (*found.samples, "its mask")
    notes = (how_turned(found.orientation), "")
    block = _blank(_HEAD + max(len(cell) for cell in cells), 2 * (_CELL + _GAP) + _GAP)
    headline = f"{found.severity.upper()}: {_SAID.get(found.kind, found.kind)}"
    _write(block, headline, (_GAP, 24), _COLOURS.get(found.severity, _TEXT), 0.5)
    for number, cell in enumerate(cells):
        left = _GAP + number * (_CELL + _GAP)
        block[_HEAD : _HEAD + len(cell), left : left + cell.shape[1]] = cell
        name = Path(found.files[number]).name
        faint = f"{name}, shown {notes[number]}" if notes[number] else name
        _write(block, titles[number][-38:], (left, 46), _TEXT, 0.38)
        _write(block, faint[:42], (left, 62), _FAINT, 0.36)
    return block


def _shown(file: Path) -> _Picture:
    """An image with its greys stretched from the darkest to the brightest hundredth."""
    image = read_image(file)
    low, high = np.percentile(image, (1, 99))
    stretched = np.clip((image.astype(np.float32) - low) / max(high - low, 1.0) * 255, 0, 255)
    greys = stretched.astype(np.uint8)
    return greys if greys.ndim == 3 else np.repeat(greys[..., None], 3, axis=2)


def _fitted(image: _Picture) -> _Picture:
    """The image as large as fits into a cell, at its own shape."""
    height, width = image.shape[:2]
    scale = min(_CELL / width, _CELL / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted: _Picture = cv2.resize(image, size, interpolation=method)
    return fitted


def _blank(height: int, width: int) -> _Picture:
    return np.full((height, width, 3), _BACKGROUND, dtype=np.uint8)


def _write(
    image: _Picture, text: str, at: tuple[int, int], colour: tuple[int, int, int], size: float
) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV's font knows no other letters
    cv2.putText(image, plain, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
