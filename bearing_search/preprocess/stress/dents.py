"""One and the same dent, pressed into a part at any angle.

Axis letters: h, w rows and columns.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool

from bearing_search.preprocess.stress.changes import Image, multiplied
from bearing_search.preprocess.stress.frame import Frame

Mask = Bool[np.ndarray, "h w"]

CONTRAST = 0.5
"""Largest change of brightness by the slope of the walls, as a share of the local brightness."""

DEPTH_CONTRAST = 0.1
"""The same by shadow at the deepest point."""

LIGHT_DEG = 225.0
"""Direction of the light in the picture, clockwise from the right: from the upper left."""

_USUAL_RADIUS, _LARGEST_RADIUS, _SMALLEST_RADIUS_PX = 0.03, 0.1, 2.0
"""In radii of the part, and in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DentSpec:
    """Size of a dent and its distance from the part's centre."""

    radius_px: float
    level: float
    """As a multiple of the outline's (see `Frame`)."""


def dent_like(masks: Sequence[tuple[Mask, Frame]], frame: Frame, usual_level: float) -> DentSpec:
    """A dent of the median area and the median level of the marked ones.

    Args:
        masks: marked defects, each with the frame of its part; the largest region of each counts.
        frame: of the part that gets the dent.
        usual_level: level where nothing is marked.
    """
    found = [_largest(mask, one) for mask, one in masks if mask.any()]
    if not found:
        return DentSpec(radius_px=_USUAL_RADIUS * frame.radius_px, level=usual_level)
    areas, levels = np.array(found).T
    radius_px = math.sqrt(float(np.median(areas)) / math.pi)
    largest = _LARGEST_RADIUS * frame.radius_px
    return DentSpec(
        radius_px=min(max(radius_px, _SMALLEST_RADIUS_PX), largest), level=float(np.median(levels))
    )


def press_dent(
    levels: Sequence[Image], frame: Frame, dent: DentSpec, *, angle_deg: float
) -> tuple[list[Image], Mask]:
    """A copy of all brightness levels with one round dent, and its mask.

    The dent is a Gaussian of deviation `radius_px` / 2, shaded by its slope under a light that does
    not turn with the angle, relative to the brightness of each pixel.
    """
    height, width = levels[0].shape[:2]
    x, y = frame.point(math.radians(angle_deg), dent.level)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    sigma = dent.radius_px / 2
    dx, dy = (columns - float(x)) / sigma, (rows - float(y)) / sigma
    squared = dx**2 + dy**2
    light = math.radians(LIGHT_DEG)
    toward = dx * math.cos(light) + dy * math.sin(light)
    # exp(.5) makes the steepest slope, one deviation away, 1; the wall far from the light faces it
    slope = -toward * np.exp(0.5 - squared / 2)
    factor = 1 + CONTRAST * slope - DEPTH_CONTRAST * np.exp(-squared / 2)
    return [multiplied(one, factor) for one in levels], squared <= 4.0


def _largest(mask: Mask, frame: Frame) -> tuple[float, float]:
    """Area in pixels and level of the centre of a mask's largest region."""
    _, _, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    level = frame.polar(*centres[largest])[1]
    return float(stats[largest, cv2.CC_STAT_AREA]), float(level)
