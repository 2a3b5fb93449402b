"""Pairs of findings side by side, for people to look at.

The only place that shows test images: they go into a file, not to the caller.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from bearing_search.data.samples import read_pages
from bearing_search.data_checks.findings import Finding
from bearing_search.data_checks.matching.images.pose import how_turned, turned
from bearing_search.plots import montage
from bearing_search.plots.montage import TEXT, Colour, Picture

MOST_PAIRS = 24
"""More are named in the text only."""

_CELL = 250
_GAP = 10
_WIDTH = 2 * (_CELL + _GAP) + _GAP
_COLUMNS = 2

_FAINT: Colour = (160, 160, 160)
_COLOURS: Mapping[str, Colour] = {"leak": (255, 110, 90), "warning": (240, 200, 70)}
_SAID = {
    "group": "one group on both sides",
    "file": "the same file",
    "copy": "one photograph",
    "again": "the same thing, photographed again?",
    "name": "names that look like one thing",
    "label": "labelled normal, with a mask",
}


def write_sheet(findings: Sequence[Finding], file: Path) -> bool:
    """Draw every finding that has two images; returns whether there was any.

    The first of a pair is turned to lie like the second, and the greys of each are stretched, so
    that copies of another brightness look alike.
    """
    pairs = [found for found in findings if len(found.files) == 2]
    if not pairs:
        return False
    picture = montage.grid([_block(found) for found in pairs[:MOST_PAIRS]], _COLUMNS)
    if len(pairs) > MOST_PAIRS:
        more = montage.label(f"and {len(pairs) - MOST_PAIRS} more pairs", _WIDTH, size=15)
        picture = montage.stacked([picture, more])
    montage.write_png(picture, file)
    return True


def _block(found: Finding) -> Picture:
    first, second = (_stretched(read_pages(Path(file))[0]) for file in found.files)
    cells = [
        montage.fitted(image, _CELL, _CELL)
        for image in (turned(first, found.turn_deg, is_mirrored=found.is_mirrored), second)
    ]
    titles = (*found.samples, "its mask")[:2]
    turn = how_turned(found.turn_deg, is_mirrored=found.is_mirrored)
    names = [Path(file).name for file in found.files]
    names[0] += f", shown {turn}" if turn else ""
    headline = f"{found.severity.upper()}: {_SAID.get(found.kind, found.kind)}"
    colour = _COLOURS.get(found.severity, TEXT)
    block = montage.stacked(
        [
            montage.label(headline, _WIDTH, size=15, colour=colour),
            montage.beside([montage.label(title, _CELL) for title in titles], _GAP),
            montage.beside([montage.label(name, _CELL, colour=_FAINT) for name in names], _GAP),
            montage.beside([montage.padded(one, width=_CELL) for one in cells], _GAP),
        ]
    )
    return montage.padded(block, height=len(block) + _GAP)


def _stretched(image: UInt8[np.ndarray, "h w *c"]) -> UInt8[np.ndarray, "h w *c"]:
    """The image with its greys stretched from the darkest to the brightest hundredth."""
    low, high = np.percentile(image, (1, 99))
    levels = (image.astype(np.float32) - low) / max(high - low, 1.0) * 255
    return np.asarray(np.clip(levels, 0, 255), dtype=np.uint8)
