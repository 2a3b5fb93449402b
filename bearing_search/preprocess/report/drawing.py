"""A picture of what preprocessing did to one sample, for the contact sheet.

Axis letters: h, w rows and columns.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from bearing_search.config import PreprocessConfig
from bearing_search.preprocess.locate import NoRoi, RoiReference, ShapeCandidates
from bearing_search.preprocess.pipeline import Roi
from bearing_search.preprocess.shapes import Circle, Shape
from bearing_search.preprocess.window import window_of

Picture = UInt8[np.ndarray, "_ _ 3"]
"""RGB, of any size."""

TILE_WIDTH, TILE_HEIGHT = 560, 300
CAPTION_HEIGHT = 34
CANDIDATE, CHOSEN, BAND, CROP, CLOSEST = (
    (90, 140, 255),
    (60, 230, 60),
    (240, 200, 40),
    (255, 255, 255),
    (255, 130, 30),
)
"""Blue, green, yellow, white, orange."""


def tile(
    image: UInt8[np.ndarray, "h w *c"],
    detection: ShapeCandidates,
    outcome: Roi | NoRoi,
    reference: RoiReference | None,
    config: PreprocessConfig,
    *,
    caption: str,
) -> Picture:
    """The input with candidates, choice, band and crop at the left, the region at the right.

    Args:
        image: brightness 0.
        reference: None where none could be estimated; then there is no band and no crop.
        caption: name and status; its second line, if any, is the reason.
    """
    room_w, room_h = TILE_WIDTH * 3 // 5, TILE_HEIGHT - CAPTION_HEIGHT
    scale = min(room_w / image.shape[1], room_h / image.shape[0])
    left = _resized(_rgb(image), scale)
    for shape in detection.candidates:
        _draw(left, shape, scale, CANDIDATE)
    found = outcome.closest if isinstance(outcome, NoRoi) else outcome.shape
    if found is not None:
        _draw(left, found, scale, CLOSEST if isinstance(outcome, NoRoi) else CHOSEN, 2)
    if reference is not None and isinstance(found, Circle):
        for sign in (-1, 1):
            radius = reference.mean_radius_px + sign * config.circle.radius_tolerance_px
            if radius > 0:
                _draw(left, Circle(x=found.x, y=found.y, radius=radius), scale, BAND)
    canvas = np.full((TILE_HEIGHT, TILE_WIDTH, 3), 24, dtype=np.uint8)
    if isinstance(outcome, Roi) and reference is not None:
        height, width = image.shape[:2]
        window = window_of(outcome.shape, reference, config, width=width, height=height)
        first = (round(window.left * scale), round(window.top * scale))
        last = (
            round((window.left + window.width) * scale),
            round((window.top + window.height) * scale),
        )
        cv2.rectangle(left, first, last, CROP, 1)
        right = _region(outcome, TILE_WIDTH - room_w - 6, room_h)
        canvas[CAPTION_HEIGHT : CAPTION_HEIGHT + right.shape[0], room_w + 6 :][
            :, : right.shape[1]
        ] = right
    canvas[CAPTION_HEIGHT : CAPTION_HEIGHT + left.shape[0], : left.shape[1]] = left
    colour = CLOSEST if isinstance(outcome, NoRoi) else (230, 230, 230)
    for number, line in enumerate(caption.split("\n")[:2]):
        _write(canvas, line[:92], (4, 13 + 14 * number), colour)
    return canvas


def blank_tile(caption: str) -> Picture:
    """A tile for a sample that cannot be read."""
    canvas = np.full((TILE_HEIGHT, TILE_WIDTH, 3), 24, dtype=np.uint8)
    for number, line in enumerate(caption.split("\n")):
        for piece in range(0, len(line), 88):
            _write(canvas, line[piece : piece + 88], (4, 13 + 14 * (number + piece // 88)), CLOSEST)
    return canvas


def sheet(tiles: Sequence[Picture], columns: int = 3) -> Picture:
    """Tiles side by side, row by row."""
    columns = min(columns, len(tiles))
    missing = -len(tiles) % columns
    full = [*tiles, *([np.full_like(tiles[0], 24)] * missing)]
    rows = [np.hstack(full[start : start + columns]) for start in range(0, len(full), columns)]
    return np.vstack(rows)


def _region(roi: Roi, room_w: int, room_h: int) -> Picture:
    """The region of interest, its ground truth outlined."""
    scale = min(room_w / roi.image.shape[1], room_h / roi.image.shape[0])
    small = _resized(roi.image, scale)
    if roi.mask.any():
        size = (small.shape[1], small.shape[0])
        mask = cv2.resize(roi.mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
        outlines, _ = cv2.findContours(
            (mask > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(small, outlines, -1, (255, 60, 60), 1)
    return small


def _draw(
    image: Picture, shape: Shape, scale: float, colour: tuple[int, int, int], width: int = 1
) -> None:
    points = (shape.moved(scale).boundary(180) * 8).round().astype(np.int32)
    cv2.polylines(image, [points], True, colour, width, cv2.LINE_AA, 3)


def _rgb(image: UInt8[np.ndarray, "h w *c"]) -> Picture:
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def _resized(image: Picture, scale: float) -> Picture:
    size = (max(1, int(image.shape[1] * scale)), max(1, int(image.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=method))


def _write(image: Picture, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV's font knows no other letters
    cv2.putText(image, plain, at, cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, 1, cv2.LINE_AA)
