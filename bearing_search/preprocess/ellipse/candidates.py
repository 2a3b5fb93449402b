"""Ellipses in one image, kept where edges cover enough of their boundary.

All lengths are pixels of the working copy.
Axis letters: n edge points; t quintuples, k those on an ellipse.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.config import EllipseConfig
from bearing_search.preprocess.contrast import Contrast, Edges
from bearing_search.preprocess.ellipse.fit import (
    are_the_same,
    ellipse_of_conic,
    fit,
    signed_distance,
)
from bearing_search.preprocess.ellipse.seeds import MIN_SEMI_MINOR_PX, ellipse_seeds
from bearing_search.preprocess.shapes import CLEAN, OWN_BAND_PX, Ellipse, owners_of_edges

ALIGNED = 0.9
"""Minimum cosine between the direction of an edge and the normal of the ellipse it belongs to."""

NUM_DOUBTFUL = 8
"""Number of fits with coverage below `CLEAN` around which random ellipses are tried."""

NUM_QUINTUPLES = 250
"""Random quintuples tried around each of them."""


def ellipse_candidates(contrast: Contrast, config: EllipseConfig) -> list[Ellipse]:
    """Every ellipse whose boundary is covered by edges to at least `min_coverage`.

    A least-squares fit in a band ends up between two edges that run side by side, such as a shadow
    and an outline. So around the most promising fits, ellipses through random points are tried too.

    Returns:
        Ellipses in pixels of the working copy, largest area first.
    """
    edges = contrast.edges
    if len(edges.points) < 32:
        return []
    fits = [
        polished(edges, seed, (max(3.0, 0.05 * seed.semi_minor), 3.0, 2.0, OWN_BAND_PX))
        for seed in ellipse_seeds(contrast)
    ]
    found = sorted(
        (e for e in fits if e is not None and e.coverage >= 0.5 * config.min_coverage),
        key=lambda e: e.coverage,
        reverse=True,
    )
    rng = np.random.default_rng(0)
    for start in [e for e in _distinct(found) if e.coverage < CLEAN][:NUM_DOUBTFUL]:
        for rough in _through_quintuples(edges, start, rng):
            better = polished(edges, rough, (2.0, OWN_BAND_PX))
            if better is not None:
                found.append(better)
    smallest = config.min_area_share * contrast.binary.size / math.pi
    covered = [
        e
        for e in found
        if e.coverage >= config.min_coverage and e.semi_major * e.semi_minor >= smallest
    ]
    kept = without_doubles(covered, edges, config.min_coverage)
    return [replace(e, even_coverage=_even_coverage(edges, e)) for e in kept]


def polished(edges: Edges, start: Ellipse, bands: Sequence[float]) -> Ellipse | None:
    """Fit to the aligned edges near `start`, in successively narrower bands."""
    ellipse = start
    # every later band lies well within this one: the many other edges are examined only once
    around = _near(edges, start, 2 * bands[0] + 8.0, aligned=0.7)
    edges = Edges(points=edges.points[around], directions=edges.directions[around])
    for band in bands:
        near = _near(edges, ellipse, band)
        if near.sum() < 24:
            return None
        fitted = fit(edges.points[near])
        if fitted is None or not _is_plausible(fitted, start):
            return None
        ellipse = fitted
    own = _near(edges, ellipse, OWN_BAND_PX)
    return replace(ellipse, coverage=_coverage(edges.points[own], ellipse))


def without_doubles(
    ellipses: Sequence[Ellipse], edges: Edges, min_coverage: float
) -> list[Ellipse]:
    """The distinct ellipses that own enough edges (see `owners_of_edges`), largest area first."""
    kept = owners_of_edges(
        _distinct(sorted(ellipses, key=lambda e: e.coverage, reverse=True)),
        len(edges.points),
        near=lambda ellipse, band: _near(edges, ellipse, band),
        coverage=lambda own, ellipse: _coverage(edges.points[own], ellipse),
        min_coverage=min_coverage,
    )
    return sorted(kept, key=lambda e: e.semi_major * e.semi_minor, reverse=True)


def _through_quintuples(
    edges: Edges, start: Ellipse, rng: np.random.Generator
) -> Iterator[Ellipse]:
    """The two best supported ellipses through five points each of a band around `start`."""
    band = max(5.0, 0.08 * start.semi_minor)
    points = edges.points[_near(edges, start, band, aligned=0.85)] - (start.x, start.y)
    size = start.semi_major
    points = points / size
    for _ in range(2):
        if len(points) < 40:
            return
        conics = _conics(points[rng.integers(0, len(points), (NUM_QUINTUPLES, 5))])
        if len(conics) == 0:
            return
        sparse = points[:: max(1, len(points) // 300)]
        support = (_conic_distance(conics, sparse) < 1.2 / size).sum(axis=1)
        best = conics[[int(support.argmax())]]
        ellipse = ellipse_of_conic(best[0])
        if ellipse is not None:
            yield ellipse.moved(size, start.x - (size - 1) / 2, start.y - (size - 1) / 2)
        points = points[_conic_distance(best, points)[0] > 2.0 / size]


def _conics(quintuples: Float[np.ndarray, "t 5 2"]) -> Float[np.ndarray, "k 5"]:
    """a, b, c, d, e of ellipses a x^2 + b x y + c y^2 + d x + e y = 1 through five points each."""
    x, y = quintuples[..., 0], quintuples[..., 1]
    matrices = np.stack([x * x, x * y, y * y, x, y], axis=2)
    solvable = np.abs(np.linalg.det(matrices)) > 1e-9
    conics = np.linalg.solve(matrices[solvable], np.ones((int(solvable.sum()), 5, 1)))[..., 0]
    a, b, c = conics[:, 0], conics[:, 1], conics[:, 2]
    result: Float[np.ndarray, "k 5"] = conics[(a > 0) & (4 * a * c - b * b > 1e-2 * a * c)]
    return result


def _conic_distance(
    conics: Float[np.ndarray, "t 5"], points: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "t n"]:
    """Distance of points from conics, to first order."""
    x, y = points[:, 0], points[:, 1]
    value = conics @ np.stack([x * x, x * y, y * y, x, y]) - 1.0
    a, b, c, d, e = (conics[:, [i]] for i in range(5))
    slope = np.hypot(2 * a * x + b * y + d, b * x + 2 * c * y + e)
    distance: Float[np.ndarray, "t n"] = np.abs(value) / np.maximum(slope, 1e-9)
    return distance


def _near(
    edges: Edges, ellipse: Ellipse, band: float, aligned: float = ALIGNED
) -> Bool[np.ndarray, " n"]:
    distance, normals = signed_distance(edges.points, ellipse)
    directions = edges.directions
    along = np.abs(normals[:, 0] * directions[:, 0] + normals[:, 1] * directions[:, 1])
    near: Bool[np.ndarray, " n"] = (np.abs(distance) <= band) & (along >= aligned)
    return near


def _coverage(points: Float[np.ndarray, "n 2"], ellipse: Ellipse) -> float:
    """Share of the boundary's pieces, of about two pixels each, with a point nearby."""
    num_pieces = int(np.clip(math.pi * (ellipse.semi_major + ellipse.semi_minor) / 2, 36, 720))
    boundary = ellipse.boundary(4 * num_pieces)
    length = np.hypot(*np.diff(boundary, axis=0, append=boundary[:1]).T)
    until = np.cumsum(length)
    tilt = math.radians(ellipse.angle_deg)
    x, y = points[:, 0] - ellipse.x, points[:, 1] - ellipse.y
    along = (x * math.cos(tilt) + y * math.sin(tilt)) / ellipse.semi_major
    across = (-x * math.sin(tilt) + y * math.cos(tilt)) / ellipse.semi_minor
    turn = np.arctan2(across, along) / (2 * math.pi) % 1.0
    piece_of = (until / until[-1] * num_pieces - 1e-9).astype(int)
    pieces = piece_of[np.minimum((turn * len(piece_of)).astype(int), len(piece_of) - 1)]
    return len(np.unique(pieces)) / num_pieces


def _even_coverage(edges: Edges, ellipse: Ellipse) -> float:
    own = _near(edges, ellipse, OWN_BAND_PX)
    points, directions = edges.points[own], edges.directions[own]
    _, normals = signed_distance(points, ellipse)
    is_bright_outside = (normals * directions).sum(axis=1) > 0
    return max(
        _coverage(points[is_bright_outside], ellipse),
        _coverage(points[~is_bright_outside], ellipse),
    )


def _is_plausible(fitted: Ellipse, start: Ellipse) -> bool:
    return (
        fitted.semi_minor >= MIN_SEMI_MINOR_PX
        and fitted.semi_major < 2 * start.semi_major
        and math.hypot(fitted.x - start.x, fitted.y - start.y) < start.semi_major
    )


def _distinct(ellipses: Sequence[Ellipse]) -> list[Ellipse]:
    kept: list[Ellipse] = []
    for ellipse in ellipses:
        if not any(are_the_same(ellipse, other) for other in kept):
            kept.append(ellipse)
    return kept
