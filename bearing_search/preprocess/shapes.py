"""Circles and ellipses in pixels of an image; x right, y down, pixel centres at integers.

Axis letters: n points (edge points, where those are meant).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float

CLEAN = 0.95
"""Coverage from which a plain least-squares fit is accepted without trying alternatives."""

OWN_BAND_PX = 1.5
"""Largest distance at which an edge belongs to a shape, in pixels of the working copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """A circle; `coverage` is the share of its circumference that lies on edges."""

    x: float
    y: float
    radius: float
    coverage: float = 1.0

    def boundary(self, num_points: int) -> Float[np.ndarray, "n 2"]:
        """Points x, y at evenly spaced angles."""
        return Ellipse(
            x=self.x, y=self.y, semi_major=self.radius, semi_minor=self.radius, angle_deg=0.0
        ).boundary(num_points)

    def moved(self, scale: float, dx: float = 0.0, dy: float = 0.0) -> "Circle":
        """The same circle after the image was enlarged by `scale`, then shifted."""
        x, y = scaled_point(self.x, self.y, scale)
        return replace(self, x=x + dx, y=y + dy, radius=self.radius * scale)

    def __str__(self) -> str:
        return f"circle of radius {self.radius:.1f} px at ({self.x:.1f}, {self.y:.1f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipse:
    """An ellipse; `coverage` is the share of its boundary that lies on edges."""

    x: float
    y: float
    semi_major: float
    semi_minor: float
    angle_deg: float
    """From the x axis to the major axis, clockwise as seen on screen, in [0, 180)."""

    coverage: float = 1.0
    even_coverage: float = 1.0
    """Share of its boundary on edges of one direction: bright inside, or dark inside, whichever is
    more. An outline has the same all around; one that follows a shadow on one side has not."""

    def boundary(self, num_points: int) -> Float[np.ndarray, "n 2"]:
        """Points x, y at evenly spaced parameter angles."""
        turn = np.linspace(0.0, 2 * math.pi, num_points, endpoint=False)
        along, across = self.semi_major * np.cos(turn), self.semi_minor * np.sin(turn)
        tilt = math.radians(self.angle_deg)
        x = self.x + along * math.cos(tilt) - across * math.sin(tilt)
        y = self.y + along * math.sin(tilt) + across * math.cos(tilt)
        return np.stack([x, y], axis=1)

    def normals(self, num_points: int) -> Float[np.ndarray, "n 2"]:
        """Unit normals, pointing outwards, at the points of `boundary`."""
        turn = np.linspace(0.0, 2 * math.pi, num_points, endpoint=False)
        along, across = self.semi_minor * np.cos(turn), self.semi_major * np.sin(turn)
        tilt = math.radians(self.angle_deg)
        x = along * math.cos(tilt) - across * math.sin(tilt)
        y = along * math.sin(tilt) + across * math.cos(tilt)
        return np.stack([x, y], axis=1) / np.hypot(x, y)[:, None]

    @property
    def half_extent(self) -> tuple[float, float]:
        """Half width and half height of the upright box around the ellipse."""
        tilt = math.radians(self.angle_deg)
        cos, sin = math.cos(tilt), math.sin(tilt)
        return (
            math.hypot(self.semi_major * cos, self.semi_minor * sin),
            math.hypot(self.semi_major * sin, self.semi_minor * cos),
        )

    def moved(self, scale: float, dx: float = 0.0, dy: float = 0.0) -> "Ellipse":
        """The same ellipse after the image was enlarged by `scale`, then shifted."""
        x, y = scaled_point(self.x, self.y, scale)
        return replace(
            self,
            x=x + dx,
            y=y + dy,
            semi_major=self.semi_major * scale,
            semi_minor=self.semi_minor * scale,
        )

    def __str__(self) -> str:
        return (
            f"ellipse of half axes {self.semi_major:.1f} and {self.semi_minor:.1f} px "
            f"at ({self.x:.1f}, {self.y:.1f})"
        )


Shape = Circle | Ellipse
OneShape = TypeVar("OneShape", Circle, Ellipse)


def owners_of_edges(
    shapes: Sequence[OneShape],
    num_edges: int,
    *,
    near: Callable[[OneShape, float], Bool[np.ndarray, " n"]],
    coverage: Callable[[Bool[np.ndarray, " n"], OneShape], float],
    min_coverage: float,
) -> list[OneShape]:
    """The shapes that cover enough edges not already owned by a better covered shape.

    Args:
        num_edges: how many edge points there are.
        near: which of them lie within a distance of a shape and run along it.
        coverage: share of a shape's boundary covered by some of them.
        min_coverage: coverage that a shape must reach with the edges left to it.
    """
    is_free = np.ones(num_edges, dtype=bool)
    kept: list[OneShape] = []
    for shape in sorted(shapes, key=lambda one: one.coverage, reverse=True):
        own = near(shape, OWN_BAND_PX)
        if coverage(own & is_free, shape) >= min_coverage:
            kept.append(shape)
            is_free &= ~near(shape, 2 * OWN_BAND_PX)
    return kept


def scaled_point(x: float, y: float, scale: float) -> tuple[float, float]:
    """A point's position after the image is resized by `scale`. As in OpenCV, pixel *corners*
    stay in place, so a pixel centre at 0 moves to (scale - 1) / 2."""
    return (x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5


def outside_share(shape: Shape, width: int, height: int, num_points: int = 180) -> float:
    """Share of the boundary, sampled at evenly spaced angles, that lies outside the image."""
    points = shape.boundary(num_points)
    is_inside = (
        (points[:, 0] >= -0.5)
        & (points[:, 0] <= width - 0.5)
        & (points[:, 1] >= -0.5)
        & (points[:, 1] <= height - 0.5)
    )
    return float(1.0 - is_inside.mean())
