"""Tables of pictures: a captioned row per sample, a column per kind of picture, a colour bar.

Numbers are shown in colours from black (0 and below) through red to pale yellow (1). What lies
above 1 is clipped, and has a colour of its own that no number on the scale has.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from bearing_search.plots.montage import (
    HEADING,
    OUTLINE,
    Colour,
    Mask,
    Picture,
    beside,
    label,
    outlined,
    padded,
    resized,
    stacked,
)

CELL_PX, GAP_PX, CAPTION_PX = 224, 2, 176
"""Side of the pictures, the gap between them, and the width of the captions beside them."""

CLIPPED: Colour = (64, 224, 255)
"""Colour of numbers above 1."""

CONTOUR: Colour = (255, 255, 255)
"""Colour of the contour at a threshold."""

_BAR_PX = 10
_OVER_PX = 12

Image = UInt8[np.ndarray, "_ _ 3"] | UInt8[np.ndarray, "_ _"] | Float[np.ndarray, "_ _"]
"""RGB; grey levels, shown as they are; or numbers, shown in colours."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of a table."""

    image: Image
    outlines: tuple[tuple[Mask, Colour], ...] = ()
    """Masks whose contours are drawn, each in its colour; they may have other sizes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourBar:
    """What the colours mean."""

    low: str
    """Label at 0."""

    meaning: str
    """Label in the middle."""

    high: str
    """Label at 1."""

    clipped: str = ""
    """Label of the colour above 1; empty: nothing is clipped."""

    threshold: float | None = None
    """Where on the scale the contour lies; None, or outside [0, 1]: no tick."""


def picture_table(
    titles: Sequence[str],
    rows: Iterable[tuple[str | Picture, Sequence[Tile]]],
    *,
    bar: ColourBar | None = None,
) -> Picture:
    """A titled column per kind of picture; each row's caption stands to the left of its pictures.

    Args:
        titles: column titles.
        rows: caption (text, or a picture `CAPTION_PX` wide) and square pictures.
        bar: the colour bar below; None: none.
    """
    heads = [label(title, CELL_PX, background=HEADING) for title in titles]
    strips = [_row(label("", CAPTION_PX, background=HEADING), heads)]
    for caption, tiles in rows:
        beside_it = label(caption, CAPTION_PX) if isinstance(caption, str) else caption
        strips.append(_row(beside_it, [_drawn(tile) for tile in tiles]))
    if bar:
        width = len(titles) * (CELL_PX + GAP_PX) - GAP_PX
        strips.append(_row(label("", CAPTION_PX), [bar_strip(bar, width)]))
    return stacked(strips)


def caption(lines: Iterable[tuple[str, Colour]]) -> Picture:
    """A caption whose lines have colours."""
    return stacked([label(text, CAPTION_PX, colour=colour) for text, colour in lines])


def coloured(levels: Float[np.ndarray, "h w"]) -> Picture:
    """Numbers as colours: 0 and below black, 1 pale yellow, above it `CLIPPED`."""
    grey = (np.clip(levels, 0, 1) * 255).astype(np.uint8)
    colours = np.ascontiguousarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)[..., ::-1])
    colours[levels > 1] = CLIPPED
    return colours


def bar_strip(bar: ColourBar, width: int) -> Picture:
    """The colours from 0 to 1 with a tick at the threshold, then a block for what is clipped."""
    over = _OVER_PX if bar.clipped else 0
    room = width - over
    strip = coloured(np.tile(np.linspace(0, 1, room), (_BAR_PX, 1)))
    if bar.threshold is not None and 0 <= bar.threshold <= 1:
        at = round(bar.threshold * (room - 1))
        strip[:, max(0, at - 1) : at + 1] = CONTOUR
    block = np.full((_BAR_PX, over, 3), CLIPPED, dtype=np.uint8)
    side = width // 6
    labels = [
        label(bar.low, side),
        label(bar.meaning, width - 2 * side, align=0.5),
        label(bar.high, side, align=1.0),
    ]
    lines = [np.hstack([strip, block]), beside(labels)]
    if bar.clipped:
        lines.append(label(bar.clipped, width, colour=CLIPPED, align=1.0))
    return stacked(lines)


def _row(caption: Picture, pictures: Sequence[Picture]) -> Picture:
    row = beside([caption, *pictures], GAP_PX)
    return padded(row, height=len(row) + GAP_PX)


def _drawn(tile: Tile) -> Picture:
    small = resized(tile.image, CELL_PX, CELL_PX)
    if small.ndim == 3:
        picture = small
    elif small.dtype == np.uint8:
        picture = np.dstack([small] * 3)
    else:
        picture = coloured(small)
    for mask, colour in tile.outlines:
        picture = outlined(picture, mask, colour)
    return picture


def outlined_tile(image: Image, mask: Mask) -> Tile:
    """A picture with the ground truth outlined."""
    return Tile(image, ((mask, OUTLINE),))
