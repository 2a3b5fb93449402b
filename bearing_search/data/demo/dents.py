"""Dents as height fields: the marks of a blow or a dragged chip on steel, with exact masks.

Axis letters: h, w rows and columns.
"""

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float

Kind = Literal["dent", "nick", "scratch"]
KINDS: tuple[Kind, ...] = ("dent", "nick", "scratch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dent:
    """Slopes of a dented surface, and the dented pixels."""

    slope_x: Float[np.ndarray, "h w"]
    slope_y: Float[np.ndarray, "h w"]
    depth: Float[np.ndarray, "h w"]
    """From 0 to 1 at the deepest point: how much of the ambient light is blocked."""

    mask: Bool[np.ndarray, "h w"]


def make_dent(
    kind: Kind,
    *,
    at: tuple[float, float],
    area_px: float,
    steepness: float,
    allowed: Bool[np.ndarray, "h w"],
    rng: np.random.Generator,
) -> Dent:
    """Press a dent of about `area_px` into the surface.

    Args:
        at: x, y of its centre.
        steepness: largest slope of its walls.
        allowed: pixels of the surface that it may cover.
    """
    height, width = allowed.shape
    reach = _distance_in(kind, at, area_px, rng, height, width)
    # 1 at the centre, 0 from the outline outwards, smooth at both ends
    depth = np.clip(1.0 - reach**2, 0.0, 1.0) ** 2 * allowed
    depth = depth.astype(np.float32)
    slope_y, slope_x = np.gradient(depth)
    largest = max(float(np.hypot(slope_x, slope_y).max()), 1e-6)
    scale = -steepness / largest
    mask = depth > 0.01
    return Dent(
        slope_x=np.where(mask, scale * slope_x, 0.0).astype(np.float32),
        slope_y=np.where(mask, scale * slope_y, 0.0).astype(np.float32),
        depth=np.where(mask, depth, 0.0).astype(np.float32),
        mask=mask,
    )


def _distance_in(
    kind: Kind,
    at: tuple[float, float],
    area_px: float,
    rng: np.random.Generator,
    height: int,
    width: int,
) -> Float[np.ndarray, "h w"]:
    """Distance from the dent's centre or centre line, 1 on its outline."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0.0, math.pi)
    x, y = columns - at[0], rows - at[1]
    along = x * math.cos(angle) + y * math.sin(angle)
    across = -x * math.sin(angle) + y * math.cos(angle)
    ragged = cv2.resize(
        rng.standard_normal((height // 10, width // 10)).astype(np.float32), (width, height)
    )
    if kind == "scratch":
        stretch = rng.uniform(14.0, 30.0)
        half_across = math.sqrt(area_px / (math.pi * stretch))
        bend = rng.uniform(-0.002, 0.002)
        across = across - bend * along**2
    else:
        stretch = rng.uniform(1.0, 1.6) if kind == "dent" else rng.uniform(2.5, 4.5)
        half_across = math.sqrt(area_px / (math.pi * stretch))
    half_along = stretch * half_across
    distance = np.hypot(along / half_along, across / max(half_across, 1.2))
    roughness = {"dent": 0.1, "nick": 0.2, "scratch": 0.12}[kind]
    ragged_distance: Float[np.ndarray, "h w"] = np.maximum(distance * (1 + roughness * ragged), 0)
    return ragged_distance
