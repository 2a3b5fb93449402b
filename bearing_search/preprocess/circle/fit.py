"""Fitting circles to edges near a rough guess.

All lengths are pixels of the working copy.
Axis letters: n edge points; t triples, k those that are not on a line.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.preprocess.contrast import Edges
from bearing_search.preprocess.shapes import CLEAN, OWN_BAND_PX, Circle, owners_of_edges

MIN_RADIUS_PX = 16.0
"""Smallest radius searched for, in the working copy; below it, LED dots are circles too."""

ALIGNED = 0.94
"""Minimum cosine between the direction of an edge and the radius of the circle it belongs to."""

NUM_TRIPLES = 160
"""Random triples tried where edges run side by side."""


def fits_near(edges: Edges, start: Circle, rng: np.random.Generator) -> list[Circle]:
    """Circles on the edges near `start`.

    A least-squares fit in a band ends up between two edges that run side by side, such as a chamfer
    and an outline. So if it does not cover its edge completely, circles through random triples are
    tried, and up to two of them are fitted as well.
    """
    plain = _polished(edges, start, (max(3.0, 0.02 * start.radius), 2.0, OWN_BAND_PX))
    if plain is not None and plain.coverage >= CLEAN:
        return [plain]
    found = [] if plain is None else [plain]
    band = edges.points[near(edges, start, max(4.0, 0.06 * start.radius), aligned=0.88)]
    for rough in _through_triples(band, start, rng):
        fitted = _polished(edges, rough, (2.0, OWN_BAND_PX))
        if fitted is not None:
            found.append(fitted)
    return found


def near(
    edges: Edges, circle: Circle, band: float, aligned: float = ALIGNED
) -> Bool[np.ndarray, " n"]:
    """Which edges lie within `band` of a circle and point along its radius."""
    x, y = edges.points[:, 0] - circle.x, edges.points[:, 1] - circle.y
    squares = x * x + y * y
    is_near: Bool[np.ndarray, " n"] = squares <= (circle.radius + band) ** 2
    is_near &= squares >= max(0.0, circle.radius - band) ** 2
    directions = edges.directions[is_near]  # only the few left: this runs very often
    along = np.abs(x[is_near] * directions[:, 0] + y[is_near] * directions[:, 1])
    is_near[is_near] = along >= aligned * np.sqrt(squares[is_near])
    return is_near


def coverage(points: Float[np.ndarray, "n 2"], circle: Circle) -> float:
    """Share of the circumference's arcs, of about two pixels each, that contain a point."""
    num_arcs = int(np.clip(math.pi * circle.radius, 24, 720))
    turn = np.arctan2(points[:, 1] - circle.y, points[:, 0] - circle.x) / (2 * math.pi) + 0.5
    arcs = np.minimum((turn * num_arcs).astype(int), num_arcs - 1)
    return len(np.unique(arcs)) / num_arcs


def without_doubles(circles: Sequence[Circle], edges: Edges, min_coverage: float) -> list[Circle]:
    """The circles that own enough edges (see `owners_of_edges`), largest first."""
    kept = owners_of_edges(
        circles,
        len(edges.points),
        near=lambda circle, band: near(edges, circle, band),
        coverage=lambda own, circle: coverage(edges.points[own], circle),
        min_coverage=min_coverage,
    )
    return sorted(kept, key=lambda c: c.radius, reverse=True)


def _polished(edges: Edges, start: Circle, bands: Sequence[float]) -> Circle | None:
    """Least squares on the aligned edges in successively narrower bands."""
    circle = start
    # every later band lies well within this one: the many other edges are examined only once
    around = near(edges, start, 2 * bands[0] + 8.0, aligned=0.8)
    edges = Edges(points=edges.points[around], directions=edges.directions[around])
    for band in bands:
        is_near = near(edges, circle, band)
        if is_near.sum() < 12:
            return None
        circle = _least_squares(edges.points[is_near], circle)
        if not MIN_RADIUS_PX <= circle.radius < 2 * start.radius:
            return None
    own = near(edges, circle, OWN_BAND_PX)
    return replace(circle, coverage=coverage(edges.points[own], circle))


def _least_squares(points: Float[np.ndarray, "n 2"], start: Circle) -> Circle:
    """Two Gauss-Newton steps on the geometric distance."""
    x, y, radius = start.x, start.y, start.radius
    for _ in range(2):
        offset = points - (x, y)
        distance = np.maximum(np.hypot(offset[:, 0], offset[:, 1]), 1e-6)
        slopes = np.column_stack([offset / distance[:, None], np.ones(len(points))])
        step = np.linalg.lstsq(slopes, distance - radius, rcond=None)[0]
        x, y, radius = x + float(step[0]), y + float(step[1]), radius + float(step[2])
    return Circle(x=x, y=y, radius=radius)


def _through_triples(
    points: Float[np.ndarray, "n 2"], start: Circle, rng: np.random.Generator
) -> Iterator[Circle]:
    """The two best supported circles through three points each that lie near `start`."""
    for _ in range(2):
        if len(points) < 24:
            return
        circles = _circumcircles(points[rng.integers(0, len(points), (NUM_TRIPLES, 3))])
        slack = 0.1 * start.radius + 4.0
        is_close = np.abs(circles - (start.x, start.y, start.radius)).max(axis=1) < slack
        circles = circles[is_close]
        if len(circles) == 0:
            return
        sparse = points[:: max(1, len(points) // 400)]
        distance = np.hypot(
            sparse[None, :, 0] - circles[:, :1], sparse[None, :, 1] - circles[:, 1:2]
        )
        support = (np.abs(distance - circles[:, 2:]) < 1.2).sum(axis=1)
        x, y, radius = circles[int(support.argmax())]
        yield Circle(x=float(x), y=float(y), radius=float(radius))
        points = points[np.abs(np.hypot(points[:, 0] - x, points[:, 1] - y) - radius) > 2.0]


def _circumcircles(triples: Float[np.ndarray, "t 3 2"]) -> Float[np.ndarray, "k 3"]:
    """x, y, radius of the circles through three points; collinear triples are left out."""
    first = triples[:, 0]
    b, c = triples[:, 1] - first, triples[:, 2] - first
    doubled = 2 * (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
    bent = np.abs(doubled) > 1e-6
    b, c, first, doubled = b[bent], c[bent], first[bent], doubled[bent]
    bb, cc = b[:, 0] ** 2 + b[:, 1] ** 2, c[:, 0] ** 2 + c[:, 1] ** 2
    x = (c[:, 1] * bb - b[:, 1] * cc) / doubled
    y = (b[:, 0] * cc - c[:, 0] * bb) / doubled
    return np.stack([first[:, 0] + x, first[:, 1] + y, np.hypot(x, y)], axis=1)
