"""Pictures of what fine-tuning learned: reconstructions and classified patches (paper, Fig. 10).

No torch: `reproduce` draws with them too. Pictures are BGR, as OpenCV writes them. Axis letters:
n samples, s side of the input in pixels, r c rows and columns of patches.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from bearing_search.filesystem.atomic import write_atomically

DIFFERENCE_LEVELS = 64
"""Grey levels of difference at the upper end of the colour scale, the same in every picture."""

_CELL_PX = 224
_CAPTION_PX = 22
_GAP_PX = 2
_OUTLINE = (80, 220, 80)

Picture = UInt8[np.ndarray, "_ _ 3"]


def reconstruction_picture(
    pixels: UInt8[np.ndarray, "n s s 3"],
    rebuilt: UInt8[np.ndarray, "n s s 3"],
    titles: Sequence[str],
) -> Picture:
    """A row per sample: input, reconstruction, and the mean absolute difference of the channels.

    Args:
        pixels: RGB.
        rebuilt: what the reconstruction head made of them, RGB.
        titles: of the rows.
    """
    rows = [_heading(("input", "reconstruction", "|difference|"))]
    for image, answer, title in zip(pixels, rebuilt, titles, strict=True):
        difference = np.abs(image.astype(float) - answer).mean(axis=2) / DIFFERENCE_LEVELS
        cells = (_cell(_bgr(image)), _cell(_bgr(answer)), _cell(_heat(difference)))
        rows += [_text_strip(title, 3), _side_by_side(cells)]
    rows.append(_scale("|difference| in grey levels", "0", f"{DIFFERENCE_LEVELS} and more", 3))
    return np.vstack(rows)


def patch_picture(
    pixels: UInt8[np.ndarray, "n s s 3"],
    masks: Bool[np.ndarray, "n s s"],
    probabilities: Float[np.ndarray, "n r c"],
    titles: Sequence[str],
) -> Picture:
    """A row per sample: input with the defect outlined, and each patch's probability of one.

    Args:
        pixels: RGB.
        masks: ground truth.
        probabilities: that a patch is anomalous, in [0, 1].
        titles: of the rows.
    """
    rows = [_heading(("input, defect outlined", "patch probability"))]
    for image, mask, found, title in zip(pixels, masks, probabilities, titles, strict=True):
        heat = _cell(_heat(found), cv2.INTER_NEAREST)
        cells = (_outlined(_cell(_bgr(image)), mask), _outlined(heat, mask))
        rows += [_text_strip(title, 2), _side_by_side(cells)]
    rows.append(_scale("probability of anomalous", "0", "1", 2))
    return np.vstack(rows)


def write_png(picture: Picture, file: Path) -> None:
    """Write a picture, making its folder if missing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, cv2.imencode(".png", picture)[1].tobytes())


def _bgr(image: Picture) -> Picture:
    return np.ascontiguousarray(image[..., ::-1])


def _heat(level: Float[np.ndarray, "_ _"]) -> Picture:
    """Colours from black (0) over red to pale yellow (1 and more)."""
    grey = (np.clip(level, 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO))


def _cell(picture: Picture, interpolation: int = cv2.INTER_AREA) -> Picture:
    return np.asarray(cv2.resize(picture, (_CELL_PX, _CELL_PX), interpolation=interpolation))


def _outlined(cell: Picture, mask: Bool[np.ndarray, "s s"]) -> Picture:
    small = cv2.resize(mask.astype(np.float32), (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_AREA)
    marked = (small > 0).astype(np.uint8)
    contours, _ = cv2.findContours(marked, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(cell.copy(), contours, -1, _OUTLINE, 1))


def _side_by_side(cells: Sequence[Picture]) -> Picture:
    gap = np.zeros((_CELL_PX, _GAP_PX, 3), dtype=np.uint8)
    return np.hstack([array for cell in cells for array in (cell, gap)][:-1])


def _width(columns: int) -> int:
    return columns * (_CELL_PX + _GAP_PX) - _GAP_PX


def _text_strip(text: str, columns: int) -> Picture:
    strip = np.zeros((_CAPTION_PX, _width(columns), 3), dtype=np.uint8)
    return _write(strip, text, 4)


def _heading(titles: Sequence[str]) -> Picture:
    strip = np.full((_CAPTION_PX, _width(len(titles)), 3), 60, dtype=np.uint8)
    for column, title in enumerate(titles):
        _write(strip, title, column * (_CELL_PX + _GAP_PX) + 4)
    return strip


def _scale(what: str, low: str, high: str, columns: int) -> Picture:
    """A colour bar over the whole width, with its ends in words."""
    width = _width(columns)
    bar = _heat(np.tile(np.linspace(0, 1, width), (8, 1)))
    strip = np.full((_CAPTION_PX, width, 3), 60, dtype=np.uint8)
    _write(strip, low, 4)
    for text, share in ((what, 0.5), (high, 1.0)):
        length = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0]
        _write(strip, text, int((width - length) * share) - (4 if share == 1 else 0))
    return np.vstack([bar, strip])


def _write(strip: Picture, text: str, left: int) -> Picture:
    place = (left, 15)
    font = cv2.FONT_HERSHEY_SIMPLEX
    return np.asarray(cv2.putText(strip, text, place, font, 0.42, (255, 255, 255), 1, cv2.LINE_AA))
