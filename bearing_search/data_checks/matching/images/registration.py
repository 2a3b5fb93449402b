"""How one thumbnail lies over another, to a fraction of a pixel, and how well they then agree.

A warp is an affine map of pixel coordinates, 3 x 3, from the first picture to the second.
Axis letters: h, w rows and columns of the first picture, u, v of the second.
"""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from bearing_search.data_checks.matching.images.keypoints import Keypoints

_LEAST_INLIERS = 8
_INLIER_PX = 3.0
_CELLS = 16
WEAKEST = 0.2
"""Share of a picture that decides whether two agree: its cells that agree least."""

_LEAST_COVERED = 0.1
SATURATED = 252
"""Grey levels from here on hold no structure: a copy that was lit up has lost it there."""

Warp = Float[np.ndarray, "3 3"]


class Placement(NamedTuple):
    """A warp, and how many pairs of keypoints follow it."""

    warp: Warp
    inliers: int


def similarity(first: Keypoints, second: Keypoints) -> Placement | None:
    """The turn, scale and shift that most pairs of alike keypoints follow; None: there is none."""
    if min(len(first.points), len(second.points)) < _LEAST_INLIERS:
        return None
    codes = (np.sqrt(one.codes.astype(np.float32)) for one in (first, second))
    pairs = cv2.BFMatcher(cv2.NORM_L2, crossCheck=True).match(*codes)
    if len(pairs) < _LEAST_INLIERS:
        return None
    ours = first.points[[pair.queryIdx for pair in pairs]]
    theirs = second.points[[pair.trainIdx for pair in pairs]]
    found, inliers = cv2.estimateAffinePartial2D(
        ours, theirs, method=cv2.RANSAC, ransacReprojThreshold=_INLIER_PX, maxIters=500
    )
    if found is None or int(inliers.sum()) < _LEAST_INLIERS:
        return None
    scale = float(np.hypot(found[0, 0], found[1, 0]))
    if not 0.3 < scale < 3:
        return None
    return Placement(as_warp(found), int(inliers.sum()))


def as_warp(affine: Float[np.ndarray, "2 3"]) -> Warp:
    """A warp from OpenCV's form."""
    return np.vstack([np.asarray(affine, dtype=np.float64), [0, 0, 1]])


def mirror(width: int) -> Warp:
    """The warp that mirrors a picture left to right."""
    return np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])


def rescaled(warp: Warp, first: Float[np.ndarray, " 2"], second: Float[np.ndarray, " 2"]) -> Warp:
    """The warp between the same pictures at other sizes; pixel centres lie at whole numbers.

    Args:
        first, second: factors in x and y by which each of the two becomes larger.
    """
    larger: Warp = _scaling(second) @ warp @ np.linalg.inv(_scaling(first))
    return larger


def _scaling(factor: Float[np.ndarray, " 2"]) -> Warp:
    scaling = np.diag([*factor, 1.0])
    scaling[:2, 2] = (factor - 1) / 2
    return scaling


def shifted(first: UInt8[np.ndarray, "h w"], second: UInt8[np.ndarray, "h w"]) -> Warp:
    """The shift between two thumbnails of one size, by phase correlation."""
    window = cv2.createHanningWindow(first.shape[::-1], cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(_level(first), _level(second), window)
    warp = np.eye(3)
    if abs(x) < first.shape[1] / 8 and abs(y) < first.shape[0] / 8:
        warp[:2, 2] = (x, y)
    return warp


def refined(
    first: UInt8[np.ndarray, "h w"],
    second: UInt8[np.ndarray, "u v"],
    warp: Warp,
    *,
    iterations: int = 15,
) -> Warp:
    """A warp that is nearly right, improved (enhanced correlation, Evangelidis and Psarakis 2008).

    Returns the given warp where nothing better is found.
    """
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, iterations, 1e-4)
    start = warp[:2].astype(np.float32)
    everywhere = np.full(second.shape, 255, dtype=np.uint8)
    try:
        _, better = cv2.findTransformECC(
            _level(first), _level(second), start, cv2.MOTION_AFFINE, criteria, everywhere, 3
        )
    except cv2.error:  # nothing in common: it did not converge
        return warp
    return as_warp(better)


def laid_over(
    second: UInt8[np.ndarray, "u v"], warp: Warp, shape: tuple[int, ...]
) -> tuple[Float32[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """The second picture in the frame of the first, and where it covers that."""
    size = (shape[1], shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    ours = np.asarray(second, dtype=np.float32)
    moved = cv2.warpAffine(ours, warp[:2], size, flags=flags, borderMode=cv2.BORDER_REFLECT)
    covers = cv2.warpAffine(np.ones_like(ours), warp[:2], size, flags=flags) > 0.99
    return moved, covers & (moved < SATURATED)


def structure(image: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Fine structure with its local contrast taken out: lamps and edges count like grain.

    Neither gain nor offset of the image changes it, as long as its noise stays below its grain.
    """
    fine = image - cv2.GaussianBlur(image, (0, 0), 1.0)
    local = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 4.0)) + 1.5
    even: Float32[np.ndarray, "h w"] = fine / local
    return even


def agreement(
    first: Float32[np.ndarray, "h w"],
    second: Float32[np.ndarray, "h w"],
    covers: Bool[np.ndarray, "h w"],
    *,
    weakest: float = WEAKEST,
) -> float:
    """Correlation of two structures in their weakest cells, in [-1, 1].

    Of one thing every place agrees. Two parts before one background agree in many places, and in
    some not at all: a mean would hide those. Cells weigh as much as they hold structure.

    Args:
        weakest: share of all weight that lies in cells of at most that correlation.
    """
    if covers.mean() < _LEAST_COVERED:
        return 0.0
    ours, theirs = first * covers, second * covers
    weight = np.sqrt(_in_cells(ours * ours) * _in_cells(theirs * theirs))
    if float(weight.sum()) <= 0:
        return 0.0
    values = _in_cells(ours * theirs) / np.maximum(weight, 1e-6)
    order = np.argsort(values)
    reached = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(reached, weakest * reached[-1])])


def _in_cells(image: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, " cells"]:
    down, across = (max(1, side // _CELLS) for side in image.shape)
    rows, columns = image.shape[0] // down, image.shape[1] // across
    inner = image[: rows * down, : columns * across]
    sums: Float32[np.ndarray, "r c"] = inner.reshape(rows, down, columns, across).sum(axis=(1, 3))
    return sums.ravel()


def _level(image: UInt8[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Without shading: a blur of 8 px is taken away."""
    plain = image.astype(np.float32)
    level: Float32[np.ndarray, "h w"] = plain - cv2.blur(plain, (17, 17))
    return level
