"""How much of a part the crop leaves out.

Axis letters: h, w rows and columns of the crop.
"""

import math

import cv2
import numpy as np
from jaxtyping import Bool

from bearing_search.preprocess.circle.choice import ring_mask
from bearing_search.preprocess.locate import ShapeCandidates
from bearing_search.preprocess.shapes import Circle, Ellipse
from bearing_search.preprocess.window import Window

CONCENTRIC = 0.05
"""Largest distance of two centres, as a share of the larger radius, for edges of one ring."""


def cut_away_share(
    shape: Circle | Ellipse | None,
    roi_mask: Bool[np.ndarray, "h w"],
    window: Window,
    detection: ShapeCandidates,
) -> float:
    """Share of a ring's area, or of an ellipse's, that is not in the region of interest, in [0, 1].

    A ring reaches from the chosen circle to the smallest candidate with the same centre, which is
    the edge of its bore. Without one, all of the disc counts.

    Args:
        shape: the chosen shape; None: the part is used whole, so nothing is cut away.
        roi_mask: pixels of the crop that are kept.
        window: the crop.
        detection: all candidates in the image.
    """
    if shape is None:
        return 0.0
    centre = (shape.x - window.left, shape.y - window.top)
    if isinstance(shape, Circle):
        inner = _bore_radius(shape, detection)
        part = ring_mask(window.width, centre, inner=inner, outer=shape.radius)
        area = math.pi * (shape.radius**2 - inner**2)
    else:
        filled = np.zeros(roi_mask.shape, dtype=np.uint8)
        outline = shape.boundary(360) - (window.left, window.top)
        cv2.fillPoly(filled, [np.rint(outline * 8).astype(np.int32)], 1, shift=3)
        part, area = filled > 0, math.pi * shape.semi_major * shape.semi_minor
    return min(1.0, max(0.0, 1 - float((part & roi_mask).sum()) / area))


def _bore_radius(outline: Circle, detection: ShapeCandidates) -> float:
    within = [
        other.radius
        for other in detection.candidates
        if isinstance(other, Circle)
        and other.radius < (1 - CONCENTRIC) * outline.radius
        and math.hypot(other.x - outline.x, other.y - outline.y) <= CONCENTRIC * outline.radius
    ]
    return min(within, default=0.0)
