"""One thumbnail laid over another: the affine warp between them, and how well they then agree.

Axis letters: s side of a thumbnail; two axes "2 3" are an affine warp in OpenCV's form.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from bearing_search.data_checks.thumbnail import resized, structure

COARSE_PX = 128
SATURATED = 252
"""Grey levels from here on hold no structure: a copy that was lit up has lost it there."""

_CELLS = 12
_WEAKEST = 0.2
_SIGMAS = (2.0, 1.0)
_GRAIN_FROM = 0.15
_TONE_PX = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """A thumbnail in the frame of another."""

    image: Float32[np.ndarray, "s s"]
    structure: Float32[np.ndarray, "s s"]
    """Fine structure; 0 where the moved thumbnail does not reach."""

    covers: Bool[np.ndarray, "s s"]


def coarse_warp(
    target: Float32[np.ndarray, "s s"], moving: Float32[np.ndarray, "s s"]
) -> tuple[Float32[np.ndarray, "2 3"], float]:
    """The warp that lays `moving` over `target`, found on small copies of both, and agreement.

    The agreement is -1 where their grain differs already.

    Enhanced correlation (Evangelidis and Psarakis 2008) from the identity: it follows crops of a
    few per cent, no turns. Returns the warp in pixels of the thumbnails.
    """
    side = min(COARSE_PX, len(target))
    small_target, small_moving = resized(target, side), resized(moving, side)
    warp = np.eye(2, 3, dtype=np.float32)
    for blur_px in (25, 9, 3):
        warp = _refined(small_target, small_moving, warp, blur_px=blur_px)
    scores = []
    for sigma in _SIGMAS:
        over = overlay(small_moving, warp, sigma=sigma)
        covers = over.covers & (small_target < SATURATED)
        scores.append(agreement(structure(small_target, sigma=sigma), over.structure, covers))
    return _scaled(warp, len(target) / side), scores[0] if scores[1] >= _GRAIN_FROM else -1.0


def fine_warp(
    target: Float32[np.ndarray, "s s"],
    moving: Float32[np.ndarray, "s s"],
    warp: Float32[np.ndarray, "2 3"],
) -> Float32[np.ndarray, "2 3"]:
    """A warp that is nearly right, improved at the thumbnails' own size."""
    return _refined(target, moving, warp, blur_px=3)


def overlay(
    moving: Float32[np.ndarray, "s s"], warp: Float32[np.ndarray, "2 3"], *, sigma: float = 1.0
) -> Overlay:
    """Move a thumbnail, and describe its fine structure there (see `structure`)."""
    side = len(moving)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(moving, warp, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT)
    covers = cv2.warpAffine(np.ones_like(moving), warp, (side, side), flags=flags) > 0.99
    covers &= moved < SATURATED
    return Overlay(image=moved, structure=structure(moved, sigma=sigma) * covers, covers=covers)


def agreement(
    first: Float32[np.ndarray, "s s"],
    second: Float32[np.ndarray, "s s"],
    covers: Bool[np.ndarray, "s s"],
) -> float:
    """Correlation of two structures in their weakest fifth of cells, in [-1, 1].

    In a copy every place agrees. Two parts before one background agree in many places, and in
    some not at all: a mean would hide those. Cells weigh as much as they hold structure.
    """
    first, second = first * covers, second * covers
    energies = _in_cells(first * first), _in_cells(second * second)
    weight = np.sqrt(energies[0] * energies[1])
    if float(weight.sum()) <= 0:
        return 0.0
    values = _in_cells(first * second) / np.maximum(weight, 1e-6)
    order = np.argsort(values)
    reached = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(reached, _WEAKEST * reached[-1])])


def tone_match(
    first: Float32[np.ndarray, "s s"],
    second: Float32[np.ndarray, "s s"],
    covers: Bool[np.ndarray, "s s"],
) -> float:
    """Share of the brightness of one image that the other one determines, in [0, 1].

    Gain, gamma, clipping and compression keep it near 1: equal greys stay equal. Photographed
    again, under a light that falls otherwise, the same thing has other greys in other places.
    """
    smooth = [
        resized(cv2.GaussianBlur(image, (0, 0), 5), _TONE_PX)[
            resized(covers.astype(np.float32), _TONE_PX) > 0.99
        ]
        for image in (first, second)
    ]
    return max(_explained(*smooth), _explained(*smooth[::-1]))


def _explained(given: Float32[np.ndarray, " n"], wanted: Float32[np.ndarray, " n"]) -> float:
    """Share of the variance of `wanted` that a polynomial of `given` explains, in [0, 1]."""
    if len(given) < _TONE_PX or given.std() <= 0 or wanted.std() <= 0:
        return 0.0
    even = (given - given.mean()) / given.std()
    fit = np.polynomial.Polynomial.fit(even, wanted, deg=5)
    return max(0.0, 1 - float((wanted - fit(even)).var() / wanted.var()))


def _in_cells(image: Float32[np.ndarray, "s s"]) -> Float32[np.ndarray, " cells"]:
    step = len(image) // _CELLS
    inner = image[: step * _CELLS, : step * _CELLS]
    sums: Float32[np.ndarray, "c c"] = inner.reshape(_CELLS, step, _CELLS, step).sum(axis=(1, 3))
    return sums.ravel()


def _refined(
    target: Float32[np.ndarray, "s s"],
    moving: Float32[np.ndarray, "s s"],
    warp: Float32[np.ndarray, "2 3"],
    *,
    blur_px: int,
) -> Float32[np.ndarray, "2 3"]:
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 25, 1e-4)
    first, second = _level(target), _level(moving)
    everywhere = np.full(target.shape, 255, dtype=np.uint8)
    try:
        _, better = cv2.findTransformECC(
            first, second, warp.copy(), cv2.MOTION_AFFINE, criteria, everywhere, blur_px
        )
    except cv2.error:  # nothing in common: it did not converge
        return warp
    found: Float32[np.ndarray, "2 3"] = better
    return found


def _level(image: Float32[np.ndarray, "s s"]) -> Float32[np.ndarray, "s s"]:
    """Without shading: a blur of an eighth of the side, made on a small copy, is taken away."""
    small = cv2.GaussianBlur(resized(image, 32), (0, 0), 4)
    shading = cv2.resize(small, image.shape[::-1], interpolation=cv2.INTER_LINEAR)
    level: Float32[np.ndarray, "s s"] = image - shading
    return level


def _scaled(warp: Float32[np.ndarray, "2 3"], factor: float) -> Float32[np.ndarray, "2 3"]:
    """The same warp in pixels `factor` times as many; pixel centres lie at whole numbers."""
    scaled = warp.copy()
    half = (factor - 1) / 2
    scaled[:, 2] = factor * warp[:, 2] + half * (1 - warp[:, :2].sum(axis=1))
    return scaled
