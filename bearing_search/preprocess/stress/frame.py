"""Polar coordinates of a part in its picture: angle around it, and level from its centre outwards.

Axis letters: h, w rows and columns.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bearing_search.preprocess.shapes import Circle, Ellipse, Shape

Grid = Float[np.ndarray, "h w"]
Numbers = Float[np.ndarray, "..."]
"""Of any shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Ellipses around a common centre; level 1 is the outline, an angle of 0 points to the right.

    Angles are in radians, clockwise as seen on screen.
    """

    x: float
    y: float
    stretch: Float[np.ndarray, "2 2"]
    """Maps the unit circle to the outline."""

    @property
    def radius_px(self) -> float:
        """Radius of the circle that has the outline's area."""
        return math.sqrt(float(np.linalg.det(self.stretch)))

    def point(self, angle: Numbers | float, level: Numbers | float) -> tuple[Numbers, Numbers]:
        """Pixel coordinates x, y."""
        u, v = level * np.cos(angle), level * np.sin(angle)
        (a, b), (c, d) = self.stretch
        return np.asarray(self.x + a * u + b * v), np.asarray(self.y + c * u + d * v)

    def polar(self, x: Numbers | float, y: Numbers | float) -> tuple[Numbers, Numbers]:
        """Angle in [0, 2 pi) and level of points given in pixels."""
        (a, b), (c, d) = np.linalg.inv(self.stretch)
        dx, dy = np.asarray(x) - self.x, np.asarray(y) - self.y
        u, v = a * dx + b * dy, c * dx + d * dy
        return np.asarray(np.arctan2(v, u) % (2 * math.pi)), np.asarray(np.hypot(u, v))

    def polar_grid(self, height: int, width: int) -> tuple[Grid, Grid]:
        """Angle and level of every pixel."""
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        return self.polar(columns, rows)


def frame_of(shape: Shape | None, *, width: int, height: int) -> Frame:
    """The frame of a shape; without one, of the ellipse that touches the picture's sides."""
    if isinstance(shape, Circle):
        return Frame(x=shape.x, y=shape.y, stretch=np.eye(2) * shape.radius)
    if isinstance(shape, Ellipse):
        tilt = math.radians(shape.angle_deg)
        turn = np.array([[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]])
        axes = np.diag([shape.semi_major, shape.semi_minor])
        return Frame(x=shape.x, y=shape.y, stretch=turn @ axes @ turn.T)
    return Frame(x=(width - 1) / 2, y=(height - 1) / 2, stretch=np.diag([width / 2, height / 2]))
