"""Synthetic defects on images of the network's input size, drawn afresh in every epoch.

Cut-paste with scars (Li et al. 2021, CutPaste) and smooth noise blobs (Zavrtanik et al. 2021,
DRAEM). Only the patch task is trained on them; defects that are scored are drawn in pixels of the
original image (`drawn_defects`).
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

_LEAST_CHANGE = 25
"""Minimum mean difference, in grey levels, between a defect and what it covers."""


def draw_defect(
    image: UInt8[np.ndarray, "h w 3"],
    allowed: Bool[np.ndarray, "h w"],
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """A copy of the image with one defect, and the pixels that the defect covers.

    The defect is a scar, a patch or a blob, filled from elsewhere in the same image and made
    lighter or darker; it covers roughly .1 to 3 % of the image, all of it inside `allowed`.

    Args:
        allowed: where a defect may lie, normally the region of interest; not empty.
    """
    mask = _shape(allowed, rng)
    return fill_defect(image, mask, rng), mask


def fill_defect(
    image: UInt8[np.ndarray, "h w c"], mask: Bool[np.ndarray, "h w"], rng: np.random.Generator
) -> UInt8[np.ndarray, "h w c"]:
    """A copy whose masked pixels come from elsewhere in the image, made lighter or darker.

    Args:
        mask: the pixels to fill; not empty.
    """
    source = np.roll(image, tuple(rng.integers(8, max(9, min(mask.shape) // 2), 2)), axis=(0, 1))
    if rng.random() < 0.5:
        source = source[::-1, ::-1]
    sign = -1.0 if image[mask].mean() > 127 else 1.0
    if rng.random() < 0.3 and 60 < image[mask].mean() < 195:
        sign = -sign
    shift = sign * rng.uniform(_LEAST_CHANGE, 80)
    difference = source[mask].astype(float) - image[mask]
    filled = image[mask] + (difference - difference.mean()) * rng.uniform(0.3, 1.0) + shift
    out = image.copy()
    out[mask] = np.clip(np.rint(filled), 0, 255).astype(np.uint8)
    return out


def _shape(allowed: Bool[np.ndarray, "h w"], rng: np.random.Generator) -> Bool[np.ndarray, "h w"]:
    rows, columns = np.nonzero(allowed)
    while True:  # a centre at the rim can leave an empty mask; try another
        pick = rng.integers(len(rows))
        centre = (float(columns[pick]), float(rows[pick]))
        match rng.integers(3):
            case 0:
                drawn = _rectangle(allowed.shape, centre, (0.06, 0.2), (0.008, 0.02), rng)
            case 1:
                drawn = _rectangle(allowed.shape, centre, (0.03, 0.12), (0.03, 0.12), rng)
            case _:
                drawn = _blob(allowed.shape, centre, rng)
        mask: Bool[np.ndarray, "h w"] = drawn & allowed
        if mask.any():
            return mask


def _rectangle(
    shape: tuple[int, ...],
    centre: tuple[float, float],
    length: tuple[float, float],
    width: tuple[float, float],
    rng: np.random.Generator,
) -> Bool[np.ndarray, "h w"]:
    """Rotated rectangle; lengths as shares of the image's shorter side."""
    side = min(shape)
    size = (max(1.0, side * rng.uniform(*length)), max(1.0, side * rng.uniform(*width)))
    corners = cv2.boxPoints((centre, size, float(rng.uniform(0, 180))))
    canvas = np.zeros(shape, dtype=np.uint8)
    cv2.fillPoly(canvas, [np.rint(corners).astype(np.int32)], 1)
    return canvas.astype(bool)


def _blob(
    shape: tuple[int, ...], centre: tuple[float, float], rng: np.random.Generator
) -> Bool[np.ndarray, "h w"]:
    """Smooth noise under a Gaussian around the centre, thresholded at .5."""
    height, width = shape
    noise: Float[np.ndarray, "h w"] = cv2.resize(
        rng.random((max(4, height // 12), max(4, width // 12))),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )
    radius = min(shape) * rng.uniform(0.03, 0.08)
    y, x = np.mgrid[:height, :width]
    bell = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius**2))
    return np.asarray(bell * (0.5 + noise) > 0.5)
