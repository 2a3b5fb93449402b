"""How a cut of one picture lies over another at full size, to a part of a pixel.

Axis letters: h, w rows and columns of the original; a, b of the cut.
"""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from bearing_search.data_checks.matching.images.registration import Warp, as_warp

_ITERATIONS = 15


def aligned(
    source: Float32[np.ndarray, "h w"],
    region: UInt8[np.ndarray, "a b"],
    warp: Warp,
    blurs_px: tuple[int, ...],
) -> Warp:
    """A warp improved from coarse to fine; what was filled in is left out."""
    shows = cv2.erode(shows_something(region), np.ones((9, 9), np.uint8)) * np.uint8(255)
    first = source - cv2.blur(source, (25, 25))
    second = region.astype(np.float32)
    second = second - cv2.blur(second, (25, 25))
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ITERATIONS, 1e-5)
    for blur_px in blurs_px:
        start = warp[:2].astype(np.float32)
        try:
            _, better = cv2.findTransformECC(
                first, second, start, cv2.MOTION_AFFINE, criteria, shows, blur_px
            )
        except cv2.error:  # it did not converge
            return warp
        warp = as_warp(better)
    return warp


def shows_something(region: UInt8[np.ndarray, "a b"]) -> UInt8[np.ndarray, "a b"]:
    """1 where a picture shows something, 0 where one grey was filled in."""
    box = np.ones((7, 7), np.uint8)
    return np.asarray(cv2.dilate(region, box) > cv2.erode(region, box), dtype=np.uint8)
