"""Circles in one image: centres from CGMP's contours and from edge votes, radii from the edges.

A contour of the binary image (the paper's candidate) is often merged with what lies behind the
ring: LED dots, a neighbour. So a contour only proposes a centre; more are proposed where the
normals of many edges meet. Around every proposed centre, radii are kept at which edges cover enough
of the circumference. All lengths here are pixels of the working copy.

Axis letters: n edge points; m centres; r radii.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool

from bearing_search.config import CircleConfig
from bearing_search.preprocess.circle.fit import (
    ALIGNED,
    MIN_RADIUS_PX,
    fits_near,
    without_doubles,
)
from bearing_search.preprocess.contrast import Contrast, Edges
from bearing_search.preprocess.shapes import CLEAN, Circle

NUM_CENTRES = 6
"""Number of centres examined from contours, and as many again from votes."""

VOTING_EDGES = 2000
"""Edge points that vote, roughly; more are thinned out evenly."""


def circle_candidates(contrast: Contrast, config: CircleConfig, *, inverted: bool) -> list[Circle]:
    """Every circle whose circumference is covered by edges to at least `min_coverage`.

    Args:
        contrast: CGMP's result.
        inverted: look for contours in the Canny edges of the inverted binary image (SC).

    Returns:
        Circles in pixels of the working copy, largest first.
    """
    edges = contrast.edges
    if len(edges.points) < 32:
        return []
    height, width = contrast.binary.shape
    centres = _contour_centres(contrast.binary, config, inverted=inverted)
    centres += _voted_centres(edges, width, height)
    rng = np.random.default_rng(0)
    fits: list[Circle] = []
    for x, y in _distinct(centres, 3.0):
        for radius in _covered_radii(edges, x, y, max(width, height), config.min_coverage):
            start = Circle(x=x, y=y, radius=radius)
            if not any(_is_settled(start, fitted) for fitted in fits):
                fits += fits_near(edges, start, rng)
    smallest = math.sqrt(config.min_area_share * width * height / math.pi)
    covered = [c for c in fits if c.coverage >= config.min_coverage and c.radius >= smallest]
    return without_doubles(covered, edges, config.min_coverage)


def _is_settled(start: Circle, fitted: Circle) -> bool:
    """Whether a guess is close to a clean circle that was already found."""
    apart = math.hypot(start.x - fitted.x, start.y - fitted.y) + abs(start.radius - fitted.radius)
    return fitted.coverage >= CLEAN and apart < 4.0


def _contour_centres(
    binary: Bool[np.ndarray, "h w"], config: CircleConfig, *, inverted: bool
) -> list[tuple[float, float]]:
    """Centres of the larger contours that are about as wide as they are high."""
    image = binary.astype(np.uint8) * 255
    if inverted:
        image = cv2.Canny(255 - image, config.canny_low, config.canny_high)
    contours, _ = cv2.findContours(image, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    boxes = [cv2.boundingRect(contour) for contour in contours]
    round_boxes = [
        (w * h, x + (w - 1) / 2, y + (h - 1) / 2)
        for x, y, w, h in boxes
        if min(w, h) >= 2 * MIN_RADIUS_PX and max(w, h) <= 1.15 * min(w, h)
    ]
    largest = sorted(round_boxes, reverse=True)[:NUM_CENTRES]
    return [(x, y) for _, x, y in largest]


def _voted_centres(edges: Edges, width: int, height: int) -> list[tuple[float, float]]:
    """Points where the most normals of edges meet."""
    step = max(1, len(edges.points) // VOTING_EDGES)
    points = edges.points[::step].astype(np.float32)
    directions = edges.directions[::step].astype(np.float32)
    longest = int(0.6 * max(width, height))
    reach = np.arange(MIN_RADIUS_PX, longest, 2.0)
    reach = np.concatenate([-reach, reach]).astype(np.float32)
    x = ((points[:, :1] + directions[:, :1] * reach) / 2).astype(np.int32)
    y = ((points[:, 1:] + directions[:, 1:] * reach) / 2).astype(np.int32)
    columns, rows = (width + 1) // 2, (height + 1) // 2
    # viewed as unsigned, a negative index lies beyond the end: one comparison checks both bounds
    inside = (x.view(np.uint32) < columns) & (y.view(np.uint32) < rows)
    votes = np.bincount((y * columns + x)[inside], minlength=rows * columns)
    smooth = cv2.GaussianBlur(votes.reshape(rows, columns).astype(np.float32), (7, 7), 0)
    peaks = smooth == cv2.dilate(smooth, np.ones((9, 9), np.uint8))
    rows_at, columns_at = np.nonzero(peaks & (smooth > 0))
    best = np.argsort(-smooth[rows_at, columns_at], kind="stable")[:NUM_CENTRES]
    return [(2.0 * int(columns_at[i]) + 0.5, 2.0 * int(rows_at[i]) + 0.5) for i in best]


def _covered_radii(
    edges: Edges, x: float, y: float, longest: int, min_coverage: float
) -> list[float]:
    """Radii around an approximate centre at which edges cover at least half of `min_coverage`;
    after the fit the full coverage is required."""
    offset = edges.points - (x, y)
    distance = np.maximum(np.sqrt(offset[:, 0] ** 2 + offset[:, 1] ** 2), 1e-6)
    directions = edges.directions
    along = np.abs(offset[:, 0] * directions[:, 0] + offset[:, 1] * directions[:, 1])
    aligned = (along >= ALIGNED * distance) & (distance >= MIN_RADIUS_PX) & (distance < longest)
    num_arcs = 90
    turn = np.arctan2(offset[aligned, 1], offset[aligned, 0]) / (2 * math.pi) + 0.5
    arcs = np.minimum((turn * num_arcs).astype(int), num_arcs - 1)
    bins = (distance[aligned] / 2).astype(int)
    num_bins = longest // 2 + 2
    # an arc of 1/90 of the circle holds r * 2 pi / 90 edge points if it is an edge
    held = np.bincount(bins * num_arcs + arcs, minlength=num_bins * num_arcs)
    held = held.reshape(num_bins, num_arcs)
    expected = np.maximum(1.0, (np.arange(num_bins) + 0.5) * 2 * 2 * math.pi / num_arcs)
    filled = np.minimum(1.0, held / expected[:, None])
    covered = filled.mean(axis=1)
    covered = covered + np.concatenate([covered[1:], [0.0]])  # an edge may straddle two bins
    padded = np.pad(covered, 2)
    is_peak = np.all(
        [covered >= padded[2 + shift : 2 + shift + num_bins] for shift in (-2, -1, 1, 2)], axis=0
    )
    radii = np.nonzero(is_peak & (covered >= 0.5 * min_coverage))[0]
    best = radii[np.argsort(-covered[radii], kind="stable")][:6]
    return [2.0 * float(b) + 2.0 for b in best]


def _distinct(centres: Sequence[tuple[float, float]], apart: float) -> list[tuple[float, float]]:
    kept: list[tuple[float, float]] = []
    for x, y in centres:
        if all(math.hypot(x - kx, y - ky) > apart for kx, ky in kept):
            kept.append((x, y))
    return kept
