"""CGMP: brightness 0 -> working copy, contrast, binary image, edges with their direction.

Axis letters: h, w rows and columns of the working copy; n edge points.
Source: paper, section 3.1 (order of the operations); every number is ours.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from bearing_search.config import ContrastConfig

EDGE_FLOOR = 6.0
"""Weakest step, in grey levels after equalisation, that can be an edge; below it is noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Thin edges of a working copy, as points with the direction in which brightness rises."""

    points: Float[np.ndarray, "n 2"]
    """x, y."""

    directions: Float[np.ndarray, "n 2"]
    """Unit vectors towards the bright side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """CGMP's result for one image."""

    scale: float
    """Working copy / original image, at most 1."""

    equalised: UInt8[np.ndarray, "h w"]
    binary: Bool[np.ndarray, "h w"]
    edges: Edges


def grey(image: UInt8[np.ndarray, "h w *c"]) -> UInt8[np.ndarray, "h w"]:
    """Convert an RGB image to grey; a grey image is returned unchanged."""
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def enhance(image: UInt8[np.ndarray, "h w"], config: ContrastConfig) -> Contrast:
    """Apply CLAHE, blur, Otsu's threshold and closing; edges come from the blurred image."""
    scale = min(1.0, config.working_px / max(image.shape))
    small = image
    if scale < 1:
        height, width = image.shape
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    tiles = (config.clahe_tiles, config.clahe_tiles)
    equalised = cv2.createCLAHE(config.clahe_clip, tiles).apply(small)
    smooth = cv2.GaussianBlur(equalised, (config.blur_px, config.blur_px), 0)
    _, binary = cv2.threshold(smooth, 0, 255, cv2.THRESH_OTSU)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (config.closing_px, config.closing_px))
    closed = cv2.morphologyEx(binary, cv2.MORPH_CLOSE, kernel)
    return Contrast(scale=scale, equalised=equalised, binary=closed > 0, edges=edges_of(smooth))


def edges_of(smooth: UInt8[np.ndarray, "h w"]) -> Edges:
    """Canny edges with thresholds adapted to the image, so that a faint part keeps its outline.

    The upper threshold is the 70th percentile of the gradient, but at least EDGE_FLOOR and three
    times the median (the level of noise and grain); the lower is .4 of it.
    """
    gx = cv2.Sobel(smooth, cv2.CV_16S, 1, 0)
    gy = cv2.Sobel(smooth, cv2.CV_16S, 0, 1)
    steepness = np.abs(gx).astype(np.float32) + np.abs(gy)
    # a step of one grey level gives a Sobel response of 4
    median, steep = np.percentile(steepness[::2, ::2], (50, 70))
    high = max(4 * EDGE_FLOOR, float(steep), 3 * float(median))
    rows, columns = np.nonzero(cv2.Canny(gx, gy, 0.4 * high, high))
    directions = np.stack([gx[rows, columns], gy[rows, columns]], axis=1).astype(float)
    length = np.hypot(directions[:, 0], directions[:, 1])
    keep = length > 0
    return Edges(
        points=np.stack([columns, rows], axis=1).astype(float)[keep],
        directions=directions[keep] / length[keep, None],
    )
