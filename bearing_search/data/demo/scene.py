"""Renders rings of turned steel under one directional light: surface, shading, camera.

A part is a family of nested ellipses: `level` s is 1 on its outline and falls to 0 at the centre,
`turn` is the angle around it. An end face seen from above has concentric circles; the conical
raceway of a tapered inner ring, seen obliquely, has ellipses whose centres move along the axis. The
brightness of a point depends on the slopes of its surface: of the profile, of grooves, of a dent.

Axis letters: h, w rows and columns.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

HEIGHT, WIDTH = 640, 800
"""Size of a rendered image."""

Grid = Float[np.ndarray, "h w"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A section of the profile between two levels."""

    start: float
    stop: float
    slope: float
    """Descent of the surface towards the outside: 0 a flat face, 1 a chamfer of 45 degrees."""

    reflectance: float
    grooves: float
    """Strength of the turning or grinding marks, as a slope."""

    holds_dents: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Position and size of a part in the image; lengths in pixels."""

    x: float
    y: float
    half_width: float
    half_height: float
    axis_shift: float
    """How far the centre of level 0 lies to the right of the outline's: the view is oblique."""

    tilt_deg: float
    """Clockwise rotation of the outline in the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """A directional light, given by the half vector between it and the camera."""

    x: float
    y: float
    along: float
    """Roughness along the grooves; a small value makes the highlight narrow in that direction."""

    across: float
    """Roughness across the grooves."""

    diffuse: float
    highlight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Part coordinates of every pixel."""

    level: Grid
    turn: Grid
    out_x: Grid
    out_y: Grid
    """Unit vector pointing outwards, in the image plane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slopes:
    """Slopes of the surface at every pixel."""

    outwards: Grid
    """Slope of the profile, and of marks across it."""

    x: Grid
    """Further slope in image coordinates, to the right: marks, dents, waviness."""

    y: Grid
    """The same downwards."""


def surface_of(pose: Pose) -> Surface:
    """Find the ellipse of the family that passes through each pixel."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    tilt = math.radians(pose.tilt_deg)
    dx, dy = columns - pose.x, rows - pose.y
    x = dx * math.cos(tilt) + dy * math.sin(tilt)
    y = -dx * math.sin(tilt) + dy * math.cos(tilt)
    a, b, shift = pose.half_width, pose.half_height, pose.axis_shift
    # ((x - shift (1 - s)) / a)^2 + (y / b)^2 = s^2, the larger root
    p, q = (x - shift) / a, shift / a
    quadratic, linear, constant = 1 - q * q, p * q, p * p + (y / b) ** 2
    level = (linear + np.sqrt(linear * linear + quadratic * constant)) / quadratic
    u, v = (x - shift * (1 - level)) / a, y / b
    turn = cv2.phase(u, v)
    normal_x, normal_y = u / a, v / b
    length = np.maximum(np.hypot(normal_x, normal_y), 1e-9)
    normal_x, normal_y = normal_x / length, normal_y / length
    return Surface(
        level=level,
        turn=turn,
        out_x=normal_x * math.cos(tilt) - normal_y * math.sin(tilt),
        out_y=normal_x * math.sin(tilt) + normal_y * math.cos(tilt),
    )


def profile(surface: Surface, bands: tuple[Band, ...], edge: float) -> tuple[Grid, Grid, Grid]:
    """Slope, reflectance and strength of the grooves of every pixel; 0 reflectance off the part.

    Args:
        edge: width over which a step between two bands is smoothed, as a level.
    """
    table = np.linspace(0.0, 1.5, 3001)
    place = np.minimum((surface.level * 2000).astype(np.int32), 3000)
    smooth = max(1, round(edge * 2000))
    found = []
    for name in ("slope", "reflectance", "grooves"):
        values = np.zeros_like(table)
        for band in bands:
            values[(table >= band.start) & (table < band.stop)] = getattr(band, name)
        values = np.convolve(np.pad(values, smooth, mode="edge"), np.ones(smooth) / smooth, "same")
        found.append(values[smooth:-smooth].astype(np.float32)[place])
    return found[0], found[1], found[2]


def groove_slopes(surface: Surface, rng: np.random.Generator, *, along_axis: bool) -> Grid:
    """Slopes of turning marks around the axis, or of grinding marks along it; about unit size."""
    num_turns, num_levels = (1536, 12) if along_axis else (40, 768)
    marks = _around_the_ring(rng, num_turns, num_levels)
    broad = _around_the_ring(rng, 24, 10)
    fine: Grid = cv2.remap(
        marks,
        surface.level * ((num_levels - 1) / 1.5),
        surface.turn * (num_turns / (2 * math.pi)),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    coarse: Grid = cv2.remap(
        broad,
        surface.level * (9 / 1.5),
        surface.turn * (24 / (2 * math.pi)),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return 1.2 * fine + 0.4 * coarse


def _around_the_ring(
    rng: np.random.Generator, num_turns: int, num_levels: int
) -> Float[np.ndarray, "turns levels"]:
    """Smooth noise whose last row repeats its first, so that a full turn is seamless."""
    noise = rng.standard_normal((num_turns, num_levels)).astype(np.float32)
    padded = np.pad(noise, ((3, 4), (0, 0)), mode="wrap")
    soft: Float[np.ndarray, "turns levels"] = cv2.GaussianBlur(padded, (0, 0), 0.7)
    return soft[3 : num_turns + 4]


def shade(
    surface: Surface,
    light: Light,
    slopes: Slopes,
    *,
    reflectance: Grid,
    along_axis: bool,
) -> Grid:
    """Brightness of every pixel of the part: a diffuse share and an anisotropic highlight.

    Args:
        reflectance: of every pixel; 0 off the part.
        along_axis: the marks run along the axis, so the highlight is narrow along it.

    Source: the highlight is Ward's (1992) elliptical Gaussian, in slopes.
    """
    total_x = slopes.outwards * surface.out_x + slopes.x
    total_y = slopes.outwards * surface.out_y + slopes.y
    facing = 1.0 / np.sqrt(1.0 + total_x**2 + total_y**2)
    toward = np.clip((1.0 + 1.6 * (light.x * total_x + light.y * total_y)) * facing, 0.0, None)
    off_x, off_y = light.x - total_x, light.y - total_y
    off_out = off_x * surface.out_x + off_y * surface.out_y
    off_around = -off_x * surface.out_y + off_y * surface.out_x
    wide, narrow = (off_around, off_out) if along_axis else (off_out, off_around)
    glint = np.exp(-((wide / light.across) ** 2) - (narrow / light.along) ** 2)
    shaded: Grid = reflectance * (light.diffuse * toward + light.highlight * glint)
    return shaded


def expose(
    radiance: Grid, exposure: float, rng: np.random.Generator, *, blur_px: float = 0.8
) -> UInt8[np.ndarray, "h w"]:
    """The sensor's image of a scene: defocus, saturation, shot and read noise, 8 bits."""
    blurred = cv2.GaussianBlur(radiance, (0, 0), blur_px)
    signal = 255.0 * np.clip(exposure * blurred, 0.0, 1.2)
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    noisy = signal + noise * np.sqrt(0.08 * signal + 1.5)
    image: UInt8[np.ndarray, "h w"] = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return image
