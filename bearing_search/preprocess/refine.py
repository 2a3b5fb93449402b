"""Sub-pixel fit of a circle or ellipse to its edge in the original image.

The steepest step along each normal of the shape is found to a fraction of a pixel; the shape is
then fitted to those points with Tukey weights, which exclude outliers, so that a neighbour or a
dent does not distort it. Axis letters: n normals; k positions on one normal.
"""

import math
from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from bearing_search.preprocess.ellipse.fit import fit, signed_distance
from bearing_search.preprocess.shapes import Circle, Ellipse

NUM_NORMALS = 360
ROUNDS = 2


def refine_circle(image: UInt8[np.ndarray, "h w"], circle: Circle, *, reach_px: float) -> Circle:
    """Move the circle onto the edge within `reach_px` of it; unchanged if there is none."""
    fitted = circle
    for _ in range(ROUNDS):
        outline = Ellipse(
            x=fitted.x,
            y=fitted.y,
            semi_major=fitted.radius,
            semi_minor=fitted.radius,
            angle_deg=0.0,
        )
        points, weights = edge_points(image, outline, reach_px)
        better = _weighted_circle(points, weights, fitted)
        if better is None or _distance(better, circle) > 2 * reach_px:
            return circle
        fitted = better
    return replace(fitted, coverage=circle.coverage)


def edge_points(
    image: UInt8[np.ndarray, "h w"], outline: Ellipse, reach_px: float
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """The steepest step on each normal of `outline`, and its steepness as weight.

    Only steps in the majority's direction (bright to dark or dark to bright) count, so the other
    edge of a thin ring does not attract the fit. Points outside the image have weight 0.
    """
    anchors, normals = outline.boundary(NUM_NORMALS), outline.normals(NUM_NORMALS)
    offsets = np.arange(-reach_px, reach_px + 0.25, 0.5)
    at = anchors[:, None, :] + normals[:, None, :] * offsets[None, :, None]
    profile = cv2.remap(
        image,
        at[..., 0].astype(np.float32),
        at[..., 1].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32)
    profile = cv2.GaussianBlur(profile, (9, 1), 1.6, borderType=cv2.BORDER_REPLICATE)
    slope = np.gradient(profile, axis=1)
    slope[:, [0, 1, -2, -1]] = 0.0  # blurred against the replicated border
    rising, falling = slope.max(axis=1), -slope.min(axis=1)
    signed = slope if np.median(rising) >= np.median(falling) else -slope
    index = np.clip(signed.argmax(axis=1), 1, len(offsets) - 2)
    rows = np.arange(NUM_NORMALS)
    left, peak, right = (signed[rows, index + shift] for shift in (-1, 0, 1))
    curvature = left - 2 * peak + right
    fraction = np.where(curvature < -1e-6, 0.5 * (left - right) / np.minimum(curvature, -1e-6), 0.0)
    position = offsets[index] + 0.5 * np.clip(fraction, -1.0, 1.0)
    height, width = image.shape
    x, y = anchors[:, 0], anchors[:, 1]
    inside = (x >= 1) & (y >= 1) & (x <= width - 2) & (y <= height - 2)
    weights = np.where(inside, np.maximum(peak, 0.0), 0.0)
    return anchors + normals * position[:, None], weights


def tukey(residuals: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Tukey's biweight: 1 at 0, and 0 from 4.7 robust standard deviations (each >= .5 px) on."""
    spread = max(0.5, 1.4826 * float(np.median(np.abs(residuals))))
    share = np.minimum(1.0, np.abs(residuals) / (4.685 * spread))
    return np.asarray((1 - share**2) ** 2)


def _weighted_circle(
    points: Float[np.ndarray, "n 2"], weights: Float[np.ndarray, " n"], start: Circle
) -> Circle | None:
    """Geometric least squares, reweighted in each of eight steps; None with too few edge points."""
    is_edge = weights > 0.25 * float(np.median(weights))
    if is_edge.sum() < NUM_NORMALS // 4:
        return None
    points = points[is_edge]
    x, y, radius = start.x, start.y, start.radius
    for _ in range(8):
        offset = points - (x, y)
        distance = np.maximum(np.hypot(offset[:, 0], offset[:, 1]), 1e-6)
        residuals = distance - radius
        root = np.sqrt(tukey(residuals - np.median(residuals)))
        slopes = np.column_stack([offset / distance[:, None], np.ones(len(points))])
        step, *_ = np.linalg.lstsq(slopes * root[:, None], residuals * root, rcond=None)
        x, y, radius = x + float(step[0]), y + float(step[1]), radius + float(step[2])
    return Circle(x=x, y=y, radius=radius)


def _distance(one: Circle, other: Circle) -> float:
    return math.hypot(one.x - other.x, one.y - other.y) + abs(one.radius - other.radius)


def refine_ellipse(
    image: UInt8[np.ndarray, "h w"], ellipse: Ellipse, *, reach_px: float
) -> Ellipse:
    """Move the ellipse onto the edge within `reach_px` of it; unchanged if there is none."""
    fitted = ellipse
    for _ in range(ROUNDS):
        points, weights = edge_points(image, fitted, reach_px)
        better = _weighted_ellipse(points, weights, fitted)
        if better is None or _farthest(better, ellipse) > 2 * reach_px:
            return ellipse
        fitted = better
    return replace(fitted, coverage=ellipse.coverage, even_coverage=ellipse.even_coverage)


def _weighted_ellipse(
    points: Float[np.ndarray, "n 2"], weights: Float[np.ndarray, " n"], start: Ellipse
) -> Ellipse | None:
    """Six direct fits, each to the inliers of the one before; None with too few edge points."""
    is_edge = weights > 0.25 * float(np.median(weights))
    kept = points[is_edge]
    if len(kept) < NUM_NORMALS // 4:
        return None
    fitted = start
    for _ in range(6):
        distance, _ = signed_distance(kept, fitted)
        distance = distance - np.median(distance)
        inliers = kept[tukey(distance) > 0.1]
        better = fit(inliers) if len(inliers) >= NUM_NORMALS // 6 else None
        if better is None:
            return None
        fitted = better
    return fitted


def _farthest(one: Ellipse, other: Ellipse) -> float:
    """Largest distance from the boundary of `one` to that of `other`."""
    distance, _ = signed_distance(one.boundary(72), other)
    return float(np.abs(distance).max())
