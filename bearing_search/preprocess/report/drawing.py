"""Draws what preprocessing did to one sample, as a tile of the contact sheet.

Axis letters: h, w rows and columns.
"""

import cv2
import numpy as np
from jaxtyping import UInt8

from bearing_search.config import PreprocessConfig
from bearing_search.plots import montage
from bearing_search.plots.montage import TEXT, Colour, Picture
from bearing_search.preprocess.locate import NoRoi, RoiReference, ShapeCandidates
from bearing_search.preprocess.pipeline import Roi
from bearing_search.preprocess.shapes import Circle, Shape
from bearing_search.preprocess.window import window_of

TILE_WIDTH, PICTURE_HEIGHT = 560, 266
INPUT_WIDTH, REGION_WIDTH = 336, 218
CANDIDATE, CHOSEN, BAND, CROP, CLOSEST, DEFECT = (
    (90, 140, 255),
    (60, 230, 60),
    (240, 200, 40),
    (255, 255, 255),
    (255, 130, 30),
    (255, 60, 60),
)
"""Blue, green, yellow, white, orange, red."""


def tile(
    image: UInt8[np.ndarray, "h w *c"],
    detection: ShapeCandidates,
    outcome: Roi | NoRoi,
    reference: RoiReference | None,
    config: PreprocessConfig,
    *,
    caption: str,
) -> Picture:
    """The input with candidates, choice, band and crop on the left, the region on the right.

    Args:
        image: brightness 0.
        reference: None if it could not be estimated; then there is no band and no crop.
        caption: name and status; its second line, if any, is the reason.
    """
    left = montage.fitted(image, INPUT_WIDTH, PICTURE_HEIGHT)
    scale = min(INPUT_WIDTH / image.shape[1], PICTURE_HEIGHT / image.shape[0])
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
    if isinstance(outcome, Roi) and reference is not None:
        height, width = image.shape[:2]
        window = window_of(outcome.shape, reference, config, width=width, height=height)
        first = (round(window.left * scale), round(window.top * scale))
        last = (
            round((window.left + window.width) * scale),
            round((window.top + window.height) * scale),
        )
        cv2.rectangle(left, first, last, CROP, 1)
        left = montage.padded(left, width=INPUT_WIDTH + 6)
        region = montage.fitted(outcome.image, REGION_WIDTH, PICTURE_HEIGHT)
        left = montage.beside([left, montage.outlined(region, outcome.mask, DEFECT)])
    colour = CLOSEST if isinstance(outcome, NoRoi) else TEXT
    return montage.stacked([montage.label(caption, TILE_WIDTH, colour=colour), left])


def blank_tile(caption: str) -> Picture:
    """A tile for a sample that cannot be read."""
    return montage.label(caption, TILE_WIDTH, colour=CLOSEST)


def _draw(image: Picture, shape: Shape, scale: float, colour: Colour, width: int = 1) -> None:
    points = (shape.moved(scale).boundary(180) * 8).round().astype(np.int32)
    cv2.polylines(image, [points], True, colour, width, cv2.LINE_AA, 3)
