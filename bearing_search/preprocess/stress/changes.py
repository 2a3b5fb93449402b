"""Changes of light and camera that leave a good part good.

Axis letters: h, w rows and columns; *c colours, if any; k angles, l levels of a frame.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from bearing_search.preprocess.shapes import Circle, Shape
from bearing_search.preprocess.stress.frame import Frame

Image = UInt8[np.ndarray, "h w *c"]
Change = Callable[[Sequence[Image], Frame], list[Image]]
"""Changes all brightness levels of a sample alike."""

SIDE_LIGHT = 0.25
EXPOSURE = 0.2
BLUR_SIGMA_PX = 1.0
JPEG_QUALITY = 75
ROTATION_DEG = 10.0

_ANGLES, _LEVELS, _HIGHEST_LEVEL = 720, 96, 1.5
_SMOOTHING = (4.0, 1.0)
"""Deviations of the Gaussian that leaves a highlight and removes marks: in degrees, and in levels
of the grid."""

_FLOOR = 4.0
"""Grey levels added to both sides of a ratio, so that noise in the dark is not amplified."""

_LARGEST_RATIO = 5.0


def expose(levels: Sequence[Image], _: Frame, *, factor: float) -> list[Image]:
    """Multiply all grey levels; bright ones saturate."""
    table = np.clip(np.rint(np.arange(256) * factor), 0, 255).astype(np.uint8)
    return [table[level] for level in levels]


def blur(levels: Sequence[Image], _: Frame, *, sigma_px: float) -> list[Image]:
    """Defocus by a Gaussian."""
    return [np.asarray(cv2.GaussianBlur(level, (0, 0), sigma_px)) for level in levels]


def recompress(levels: Sequence[Image], _: Frame, *, quality: int) -> list[Image]:
    """Save as JPEG and read again."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return [
        np.asarray(cv2.imdecode(cv2.imencode(".jpg", level, flags)[1], cv2.IMREAD_UNCHANGED))
        for level in levels
    ]


def rotate(levels: Sequence[Image], frame: Frame, *, angle_deg: float) -> list[Image]:
    """Turn the picture about the part's centre, clockwise; its border is repeated."""
    height, width = levels[0].shape[:2]
    matrix = cv2.getRotationMatrix2D((frame.x, frame.y), -angle_deg, 1.0)
    return [
        np.asarray(cv2.warpAffine(level, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))
        for level in levels
    ]


def move_highlight(levels: Sequence[Image], frame: Frame, *, angle_deg: float) -> list[Image]:
    """Turn what is bright and dark on a large scale around the part, while its marks stay.

    Each pixel is multiplied by the ratio of the smoothed brightness at the place that the light
    comes from to that at its own place, at the same level of the frame.
    """
    angle, level = frame.polar_grid(*levels[0].shape[:2])
    columns = (angle * (_ANGLES / (2 * math.pi))).astype(np.float32)
    rows = (level * ((_LEVELS - 1) / _HIGHEST_LEVEL)).astype(np.float32)
    return [_with_moved_highlight(one, frame, (columns, rows), angle_deg) for one in levels]


def light_from_side(levels: Sequence[Image], frame: Frame, *, angle_deg: float) -> list[Image]:
    """Brighten the part towards one side and darken it towards the other, by up to `SIDE_LIGHT`."""
    angle, level = frame.polar_grid(*levels[0].shape[:2])
    factor = 1 + SIDE_LIGHT * np.minimum(level, 1) * np.cos(angle - math.radians(angle_deg))
    return [multiplied(one, factor) for one in levels]


def smoothed_brightness(image: Image, frame: Frame) -> Float[np.ndarray, "l k"]:
    """Brightness on a grid of levels (0 to 1.5) and angles, without marks and noise."""
    angles = np.arange(_ANGLES) * (2 * math.pi / _ANGLES)
    levels = np.linspace(0.0, _HIGHEST_LEVEL, _LEVELS)[:, None]
    x, y = frame.point(angles, levels)
    grey = image if image.ndim == 2 else image.mean(axis=2)
    sampled = cv2.remap(
        grey.astype(np.float32),
        x.astype(np.float32),
        y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    beyond = round(4 * _SMOOTHING[0] * _ANGLES / 360)
    wrapped = np.pad(sampled, ((0, 0), (beyond, beyond)), mode="wrap")
    sigma_x, sigma_y = _SMOOTHING[0] * _ANGLES / 360, _SMOOTHING[1]
    smooth = cv2.GaussianBlur(wrapped, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)
    return np.asarray(smooth[:, beyond:-beyond])


def multiplied(image: Image, factor: Float[np.ndarray, "h w"]) -> Image:
    """An image times a factor per pixel, rounded and clipped to [0, 255]."""
    changed = image * (factor if image.ndim == 2 else factor[..., None])
    return np.asarray(np.clip(np.rint(changed), 0, 255).astype(np.uint8))


def mean_profile(
    image: Image, frame: Frame
) -> tuple[Float[np.ndarray, " l"], Float[np.ndarray, " l"]]:
    """Mean brightness over all angles, and the levels at which it is given."""
    return smoothed_brightness(image, frame).mean(axis=1), np.linspace(0, _HIGHEST_LEVEL, _LEVELS)


def _with_moved_highlight(
    image: Image,
    frame: Frame,
    place: tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]],
    angle_deg: float,
) -> Image:
    here = smoothed_brightness(image, frame)
    there = np.roll(here, round(angle_deg * _ANGLES / 360), axis=1)
    ratio = np.clip((there + _FLOOR) / (here + _FLOOR), 1 / _LARGEST_RATIO, _LARGEST_RATIO)
    closed = np.concatenate([ratio, ratio[:, :1]], axis=1)
    factor = cv2.remap(closed, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return multiplied(image, factor)


_CONCENTRIC: Mapping[str, Change] = {
    f"highlight +{angle} deg": partial(move_highlight, angle_deg=angle) for angle in (90, 180)
}
_OTHERS: Mapping[str, Change] = {
    f"side light {angle} deg": partial(light_from_side, angle_deg=angle) for angle in (0, 180)
}
_CAMERA: Mapping[str, Change] = {
    f"exposure -{EXPOSURE:.0%}": partial(expose, factor=1 - EXPOSURE),
    f"exposure +{EXPOSURE:.0%}": partial(expose, factor=1 + EXPOSURE),
    f"blur {BLUR_SIGMA_PX:g} px": partial(blur, sigma_px=BLUR_SIGMA_PX),
    f"JPEG {JPEG_QUALITY}": partial(recompress, quality=JPEG_QUALITY),
    f"rotation -{ROTATION_DEG:g} deg": partial(rotate, angle_deg=-ROTATION_DEG),
    f"rotation +{ROTATION_DEG:g} deg": partial(rotate, angle_deg=ROTATION_DEG),
}


def changes_of(shape: Shape | None) -> dict[str, Change]:
    """Name -> change of a part of that shape, in the order of the report.

    A ring seen from above keeps its highlight, which moves; any other part has no counterpart of a
    place at another angle, so its light comes from one side instead.
    """
    return {**(_CONCENTRIC if isinstance(shape, Circle) else _OTHERS), **_CAMERA}
