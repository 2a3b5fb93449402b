"""Ellipses in one image, from contours at several levels, kept where edges cover their boundary.

Otsu's one threshold (the paper's CGMP) fails where the background is as bright as the part on one
side, so thresholds around it propose contours too. All lengths are pixels of the working copy.

Axis letters: n edge points; h, w rows and columns.
"""

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from bearing_search.config import EllipseConfig
from bearing_search.preprocess.contrast import Contrast, Edges
from bearing_search.preprocess.shapes import Ellipse

MIN_SEMI_MINOR_PX = 10.0
"""Smallest half width looked for in the working copy."""

ALIGNED = 0.9
"""Cosine between edge direction and normal, from which on an edge can be the ellipse's."""

THRESHOLDS = 12
"""Grey levels, at even shares of the pixels, at which contours are taken beside Otsu's."""

MAX_SEEDS = 40
"""How many of the best fitting contours are examined against the edges."""


def ellipse_candidates(contrast: Contrast, config: EllipseConfig) -> list[Ellipse]:
    """Every ellipse whose boundary is covered by edges to at least `min_coverage`.

    Returns:
        Ellipses in pixels of the working copy, largest area first.
    """
    if len(contrast.edges.points) < 32:
        return []
    found: list[Ellipse] = []
    for seed in _seeds(contrast):
        fitted = fit_to_edges(contrast.edges, seed)
        if fitted is not None and fitted.coverage >= config.min_coverage:
            found.append(fitted)
    return _without_doubles(found)


def fit_to_edges(edges: Edges, start: Ellipse) -> Ellipse | None:
    """Fit an ellipse to the aligned edges near `start`, with a narrowing band."""
    ellipse = start
    for band in (max(3.0, 0.05 * start.semi_minor), 3.0, 2.0, 2.0):
        near = _near(edges, ellipse, band)
        if near.sum() < 24:
            return None
        fitted = fit(edges.points[near])
        if fitted is None or not _is_plausible(fitted, start):
            return None
        ellipse = fitted
    near = _near(edges, ellipse, 2.0)
    return Ellipse(
        x=ellipse.x,
        y=ellipse.y,
        semi_major=ellipse.semi_major,
        semi_minor=ellipse.semi_minor,
        angle_deg=ellipse.angle_deg,
        coverage=_coverage(edges.points[near], ellipse),
    )


def fit(points: Float[np.ndarray, "n 2"]) -> Ellipse | None:
    """Direct least-squares ellipse; None where the points lie on none."""
    (x, y), (first, second), angle = cv2.fitEllipseDirect(points.astype(np.float32))
    if not all(map(math.isfinite, (x, y, first, second, angle))) or min(first, second) <= 0:
        return None
    if second > first:
        first, second, angle = second, first, angle + 90.0
    return Ellipse(x=x, y=y, semi_major=first / 2, semi_minor=second / 2, angle_deg=angle % 180.0)


def signed_distance(
    points: Float[np.ndarray, "n 2"], ellipse: Ellipse
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 2"]]:
    """Distance to the boundary to first order (outside above 0), and the outward unit normals."""
    tilt = math.radians(ellipse.angle_deg)
    cos, sin = math.cos(tilt), math.sin(tilt)
    x, y = points[:, 0] - ellipse.x, points[:, 1] - ellipse.y
    along, across = x * cos + y * sin, -x * sin + y * cos
    u, v = along / ellipse.semi_major, across / ellipse.semi_minor
    level = np.maximum(np.hypot(u, v), 1e-9)
    du, dv = u / ellipse.semi_major / level, v / ellipse.semi_minor / level
    steepness = np.maximum(np.hypot(du, dv), 1e-12)
    normals = np.stack([du * cos - dv * sin, du * sin + dv * cos], axis=1) / steepness[:, None]
    return (level - 1.0) / steepness, normals


def _near(edges: Edges, ellipse: Ellipse, band: float) -> Bool[np.ndarray, " n"]:
    distance, normals = signed_distance(edges.points, ellipse)
    along = np.abs((normals * edges.directions).sum(axis=1))
    near: Bool[np.ndarray, " n"] = (np.abs(distance) <= band) & (along >= ALIGNED)
    return near


def _coverage(points: Float[np.ndarray, "n 2"], ellipse: Ellipse) -> float:
    """Share of the boundary, in pieces of about two pixels, that has one of the points near."""
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


def _seeds(contrast: Contrast) -> list[Ellipse]:
    """Ellipses fitted to contours, the smoothest fits first."""
    rated: list[tuple[float, Ellipse]] = []
    for binary in _binaries(contrast):
        contours, _ = cv2.findContours(binary, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            _, _, width, height = cv2.boundingRect(contour)
            if min(width, height) < 2 * MIN_SEMI_MINOR_PX:
                continue
            points = contour[:, 0].astype(float)
            for outline in (points, cv2.convexHull(contour)[:, 0].astype(float)):
                seed = fit(outline) if len(outline) >= 8 else None
                if seed is None or seed.semi_minor < MIN_SEMI_MINOR_PX:
                    continue
                distance, _ = signed_distance(outline, seed)
                misfit = float(np.median(np.abs(distance))) / seed.semi_minor
                if misfit < 0.1:
                    rated.append((misfit, seed))
    rated.sort(key=lambda pair: pair[0])
    distinct: list[Ellipse] = []
    for _, seed in rated:
        if not any(_are_the_same(seed, other) for other in distinct):
            distinct.append(seed)
        if len(distinct) == MAX_SEEDS:
            break
    return distinct


def _binaries(contrast: Contrast) -> Iterator[UInt8[np.ndarray, "h w"]]:
    yield contrast.binary.astype(np.uint8)
    smooth = cv2.GaussianBlur(contrast.equalised, (5, 5), 0)
    shares = (np.arange(THRESHOLDS) + 1) / (THRESHOLDS + 1)
    for level in np.unique(np.quantile(smooth, shares)):
        yield (smooth > level).astype(np.uint8)


def _is_plausible(fitted: Ellipse, start: Ellipse) -> bool:
    return (
        fitted.semi_minor >= MIN_SEMI_MINOR_PX
        and fitted.semi_major < 2 * start.semi_major
        and math.hypot(fitted.x - start.x, fitted.y - start.y) < start.semi_major
    )


def _without_doubles(ellipses: Sequence[Ellipse]) -> list[Ellipse]:
    kept: list[Ellipse] = []
    for ellipse in sorted(ellipses, key=lambda e: e.coverage, reverse=True):
        if not any(_are_the_same(ellipse, other) for other in kept):
            kept.append(ellipse)
    return sorted(kept, key=lambda e: e.semi_major * e.semi_minor, reverse=True)


def _are_the_same(one: Ellipse, other: Ellipse) -> bool:
    (width, height), (other_width, other_height) = one.half_extent, other.half_extent
    apart = max(
        abs(one.x - other.x),
        abs(one.y - other.y),
        abs(width - other_width),
        abs(height - other_height),
    )
    return apart < max(2.0, 0.03 * max(one.semi_minor, other.semi_minor))
