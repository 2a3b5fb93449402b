"""Rough ellipses, to be tested against the edges, from contours and from edge symmetry.

A contour of the binary image (the paper's candidate) follows a part only while the background
stays on one side of the threshold, so contours are taken at several thresholds. Where clutter
touches the outline no contour is clean. But an ellipse is symmetric about its centre, so pairs of
parallel edges vote for their midpoint, and around a voted centre three edge points and their
mirror images determine an ellipse. Lengths are pixels of the working copy.

Axis letters: h, w rows and columns; n edge points; t triples.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from bearing_search.preprocess.contrast import Contrast, Edges
from bearing_search.preprocess.ellipse.fit import (
    are_the_same,
    ellipse_of_conic,
    fit,
    signed_distance,
)
from bearing_search.preprocess.shapes import Ellipse

MIN_SEMI_MINOR_PX = 10.0
"""Smallest semi-minor axis searched for, in the working copy."""

THRESHOLDS = 8
"""Number of thresholds besides Otsu's, at evenly spaced quantiles of the grey levels."""

CONTOUR_SEEDS = 12
"""How many of the best fitting contours are examined against the edges."""

NUM_CENTRES = 6
"""How many voted centres are examined."""

ELLIPSES_PER_CENTRE = 4
"""How many ellipses around one centre are examined: outline, chamfer, bore."""

VOTING_EDGES = 1800
"""Edge points that vote, roughly; more are thinned out evenly."""

NUM_TRIPLES = 300
"""Random triples of edge points tried around each centre."""


def ellipse_seeds(contrast: Contrast) -> list[Ellipse]:
    """Ellipses worth examining, without duplicates."""
    distinct: list[Ellipse] = []
    for seed in [*_contour_seeds(contrast), *_symmetry_seeds(contrast)]:
        if not any(are_the_same(seed, other) for other in distinct):
            distinct.append(seed)
    return distinct


def _contour_seeds(contrast: Contrast) -> list[Ellipse]:
    rated = [
        rating
        for binary in _binaries(contrast)
        for contour in cv2.findContours(binary, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
        if min(cv2.boundingRect(contour)[2:]) >= 2 * MIN_SEMI_MINOR_PX
        and (rating := _rated(contour)) is not None
    ]
    rated.sort(key=lambda pair: pair[0])
    return [seed for _, seed in rated[:CONTOUR_SEEDS]]


def _rated(contour: np.ndarray) -> tuple[float, Ellipse] | None:
    """Misfit as a share of the semi-minor axis, and the ellipse of the contour or of its hull."""
    ratings = []
    for outline in (contour, cv2.convexHull(contour)):
        points = outline[:, 0].astype(float)
        seed = fit(points) if len(points) >= 8 else None
        if seed is not None and seed.semi_minor >= MIN_SEMI_MINOR_PX:
            distance, _ = signed_distance(points, seed)
            ratings.append((float(np.median(np.abs(distance))) / seed.semi_minor, seed))
    best = min(ratings, key=lambda pair: pair[0], default=None)
    return best if best is not None and best[0] < 0.1 else None


def _binaries(contrast: Contrast) -> Iterator[UInt8[np.ndarray, "h w"]]:
    yield contrast.binary.astype(np.uint8)
    smooth = cv2.GaussianBlur(contrast.equalised, (5, 5), 0)
    shares = (np.arange(THRESHOLDS) + 1) / (THRESHOLDS + 1)
    for level in np.unique(np.quantile(smooth[::2, ::2], shares)):
        yield (smooth > level).astype(np.uint8)


def _symmetry_seeds(contrast: Contrast) -> Iterator[Ellipse]:
    height, width = contrast.binary.shape
    edges = contrast.edges
    thick = np.zeros((height, width), dtype=np.uint8)
    rows, columns = edges.points[:, 1].astype(int), edges.points[:, 0].astype(int)
    thick[rows, columns] = 1
    thick = cv2.dilate(thick, np.ones((5, 5), np.uint8))
    rng = np.random.default_rng(0)
    for x, y in _voted_centres(edges, width, height):
        mirrored = np.rint((2 * x, 2 * y) - edges.points).astype(int)
        inside = ((mirrored >= 0) & (mirrored < (width, height))).all(axis=1)
        twin = np.zeros(len(edges.points), dtype=bool)
        twin[inside] = thick[mirrored[inside, 1], mirrored[inside, 0]] > 0
        yield from _around(edges.points[twin], edges.directions[twin], (x, y), rng)


def _voted_centres(edges: Edges, width: int, height: int) -> list[tuple[float, float]]:
    """Points where the most midpoints of parallel edges coincide."""
    step = max(1, len(edges.points) // VOTING_EDGES)
    points, directions = edges.points[::step], edges.directions[::step]
    orientation = np.arctan2(directions[:, 1], directions[:, 0]) % math.pi
    rows, columns = height // 2 + 1, width // 2 + 1
    voted: list[np.ndarray] = []
    num_bins = 36
    for offset in (0.0, 0.5):
        bins = (orientation / math.pi * num_bins + offset).astype(int) % num_bins
        order = np.argsort(bins, kind="stable")
        starts = np.searchsorted(bins[order], np.arange(num_bins + 1))
        for start, stop in pairwise(starts):
            members = points[order[start:stop]]
            first, second = np.triu_indices(len(members), 1)
            one, other = members[first], members[second]
            apart = np.abs(one - other)
            far = np.maximum(apart[:, 0], apart[:, 1]) >= 2 * MIN_SEMI_MINOR_PX
            middle = ((one + other)[far] / 4).astype(np.int32)
            voted.append(middle[:, 1] * columns + middle[:, 0])
    votes = np.bincount(np.concatenate(voted), minlength=rows * columns).reshape(rows, columns)
    smooth = cv2.GaussianBlur(votes.astype(np.float32), (0, 0), 2.0)
    peaks = smooth == cv2.dilate(smooth, np.ones((13, 13), np.uint8))
    rows_at, columns_at = np.nonzero(peaks & (smooth > 0))
    best = np.argsort(-smooth[rows_at, columns_at], kind="stable")[:NUM_CENTRES]
    return [(2.0 * int(columns_at[i]) + 0.5, 2.0 * int(rows_at[i]) + 0.5) for i in best]


def _around(
    points: Float[np.ndarray, "n 2"],
    directions: Float[np.ndarray, "n 2"],
    centre: tuple[float, float],
    rng: np.random.Generator,
) -> Iterator[Ellipse]:
    """Ellipses with a given centre on which many points lie, the best supported first."""
    remaining = np.ones(len(points), dtype=bool)
    for _ in range(ELLIPSES_PER_CENTRE):
        if remaining.sum() < 40:
            return
        offset, normal = points[remaining] - centre, directions[remaining]
        forms = _forms(offset, rng)
        if len(forms) == 0:
            return
        sparse = slice(None, None, max(1, len(offset) // 300))
        support = _on(forms, offset[sparse], normal[sparse]).sum(axis=1)
        best = forms[int(support.argmax())]
        a, b, c = best
        ellipse = ellipse_of_conic(np.array([a, 2 * b, c, 0.0, 0.0]))
        if ellipse is not None and ellipse.semi_minor >= MIN_SEMI_MINOR_PX:
            yield replace(ellipse, x=centre[0], y=centre[1])
        remaining[np.flatnonzero(remaining)[_on(best[None], offset, normal)[0]]] = False


def _forms(offset: Float[np.ndarray, "n 2"], rng: np.random.Generator) -> Float[np.ndarray, "t 3"]:
    """Quadratic forms a x^2 + 2 b x y + c y^2 = 1 of the ellipses through random triples."""
    triples = offset[rng.integers(0, len(offset), (NUM_TRIPLES, 3))]
    x, y = triples[..., 0], triples[..., 1]
    matrices = np.stack([x * x, 2 * x * y, y * y], axis=2)
    size = np.abs(matrices).max(axis=(1, 2))
    solvable = np.abs(np.linalg.det(matrices)) > 1e-6 * size**3
    forms = np.linalg.solve(matrices[solvable], np.ones((int(solvable.sum()), 3, 1)))[..., 0]
    a, b, c = forms.T
    is_ellipse = (a > 0) & (c > 0) & (a * c - b * b > 1e-3 * a * c)
    result: Float[np.ndarray, "t 3"] = forms[is_ellipse]
    return result


def _on(
    forms: Float[np.ndarray, "t 3"],
    offset: Float[np.ndarray, "n 2"],
    normal: Float[np.ndarray, "n 2"],
) -> Bool[np.ndarray, "t n"]:
    """Which points lie near the ellipse of each form, with edges that run along it."""
    a, b, c = (forms[:, [i]].astype(np.float32) for i in range(3))
    x, y = offset[:, 0].astype(np.float32), offset[:, 1].astype(np.float32)
    slope_x, slope_y = a * x + b * y, b * x + c * y
    steepness = np.maximum(np.sqrt(slope_x * slope_x + slope_y * slope_y), 1e-12)
    value = np.abs(slope_x * x + slope_y * y - 1.0)
    along = np.abs(
        slope_x * normal[:, 0].astype(np.float32) + slope_y * normal[:, 1].astype(np.float32)
    )
    near: Bool[np.ndarray, "t n"] = (value < 6.0 * steepness) & (along >= 0.9 * steepness)
    return near
