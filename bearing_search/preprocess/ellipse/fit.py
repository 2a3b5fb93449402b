"""Fitting one ellipse to points, and measuring how far points lie from it.

Axis letters: n points.
"""

import math

import cv2
import numpy as np
from jaxtyping import Float

from bearing_search.preprocess.shapes import Ellipse


def fit(points: Float[np.ndarray, "n 2"]) -> Ellipse | None:
    """Direct least-squares fit of an ellipse; None if the points fit none."""
    (x, y), (first, second), angle = cv2.fitEllipseDirect(points.astype(np.float32))
    return from_axes(x, y, first / 2, second / 2, angle)


def from_axes(x: float, y: float, first: float, second: float, angle_deg: float) -> Ellipse | None:
    """An ellipse from its half axes in any order; `angle_deg` is that of the first."""
    if not all(map(math.isfinite, (x, y, first, second, angle_deg))) or min(first, second) <= 0:
        return None
    if second > first:
        first, second, angle_deg = second, first, angle_deg + 90.0
    return Ellipse(
        x=float(x),
        y=float(y),
        semi_major=float(first),
        semi_minor=float(second),
        angle_deg=float(angle_deg % 180.0),
    )


def ellipse_of_conic(conic: Float[np.ndarray, " 5"]) -> Ellipse | None:
    """The ellipse a x^2 + b x y + c y^2 + d x + e y = 1, or None if the conic is not one."""
    a, b, c, d, e = conic
    form = np.array([[a, b / 2], [b / 2, c]])
    values, vectors = np.linalg.eigh(form)
    if values[0] <= 0:
        return None
    x, y = -0.5 * np.linalg.solve(form, np.array([d, e]))
    level = 1.0 + a * x * x + b * x * y + c * y * y
    if level <= 0:
        return None
    angle = math.degrees(math.atan2(vectors[1, 0], vectors[0, 0]))
    return from_axes(x, y, math.sqrt(level / values[0]), math.sqrt(level / values[1]), angle)


def signed_distance(
    points: Float[np.ndarray, "n 2"], ellipse: Ellipse
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 2"]]:
    """Distance to the boundary to first order (positive outside), and the outward unit normals."""
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


def are_the_same(one: Ellipse, other: Ellipse) -> bool:
    """Whether two ellipses follow the same edge."""
    (width, height), (other_width, other_height) = one.half_extent, other.half_extent
    apart = max(
        abs(one.x - other.x),
        abs(one.y - other.y),
        abs(width - other_width),
        abs(height - other_height),
    )
    return bool(apart < max(2.0, 0.03 * max(one.semi_minor, other.semi_minor)))
