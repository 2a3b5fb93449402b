"""The rectangle cropped from every level and from the mask; it may extend beyond the image.

Axis letters: h, w rows and columns of the whole image; *rest further axes.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Shaped

from bearing_search.config import PreprocessConfig
from bearing_search.preprocess.locate import RoiReference
from bearing_search.preprocess.shapes import Circle, Ellipse, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A rectangle in pixels of the original image."""

    left: int
    top: int
    width: int
    height: int


def window_of(
    shape: Shape | None,
    reference: RoiReference,
    config: PreprocessConfig,
    *,
    width: int,
    height: int,
) -> Window:
    """The crop for a chosen shape, in pixels of the original image."""
    if isinstance(shape, Circle):
        delta = config.circle.ring_half_width_px
        half = shape.radius + (delta if config.circle.crop_radius == "outer" else -delta)
        reach = max(1, math.ceil(half))
        side = 2 * reach + 1
        return Window(
            left=round(shape.x) - reach, top=round(shape.y) - reach, width=side, height=side
        )
    if isinstance(shape, Ellipse):
        x, y = round(reference.centre[0]), round(reference.centre[1])
        left, up, right, down = reference.crop_px
        return Window(left=x - left, top=y - up, width=left + right + 1, height=up + down + 1)
    return Window(left=0, top=0, width=width, height=height)


def crop(image: Shaped[np.ndarray, "h w *rest"], window: Window) -> Shaped[np.ndarray, "y x *rest"]:
    """Pixels of the window; 0 where it extends beyond the image."""
    height, width = image.shape[:2]
    result = np.zeros((window.height, window.width, *image.shape[2:]), dtype=image.dtype)
    rows, columns = _overlap(window, width, height)
    at = (
        slice(rows.start - window.top, rows.stop - window.top),
        slice(columns.start - window.left, columns.stop - window.left),
    )
    result[at] = image[rows, columns]
    return result


def paste(
    image: Shaped[np.ndarray, "h w"], window: Window, patch: Shaped[np.ndarray, "y x"]
) -> None:
    """Write a patch of the window's size into the image, in place; parts beyond it are dropped."""
    rows, columns = _overlap(window, image.shape[1], image.shape[0])
    image[rows, columns] = patch[
        rows.start - window.top : rows.stop - window.top,
        columns.start - window.left : columns.stop - window.left,
    ]


def lost_regions(mask: Bool[np.ndarray, "h w"], lost: Bool[np.ndarray, "h w"]) -> int:
    """Number of 8-connected regions of a mask that consist only of lost pixels."""
    if not lost.any():
        return 0
    num_labels, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    sizes = np.bincount(labels[mask], minlength=num_labels)
    sizes_lost = np.bincount(labels[lost], minlength=num_labels)
    return int(((sizes > 0) & (sizes == sizes_lost)).sum())


def notes_on(window: Window, width: int, height: int) -> tuple[str, ...]:
    """Warnings where the window is larger than an image of this size or extends beyond it."""
    if window.width > width or window.height > height:
        return (
            f"the crop of {window.width}x{window.height} px is larger than the image of "
            f"{width}x{height}; the area beyond is black and not part of the ROI. Lower "
            "preprocess.circle.ring_half_width_px or preprocess.ellipse.crop_px.",
        )
    beyond = max(
        -window.left,
        -window.top,
        window.left + window.width - width,
        window.top + window.height - height,
    )
    if beyond > 0:
        return (
            f"the crop extends {beyond} px beyond the image; "
            "the area beyond is black and not part of the ROI.",
        )
    return ()


def _overlap(window: Window, width: int, height: int) -> tuple[slice, slice]:
    top, left = (min(max(0, window.top), height), min(max(0, window.left), width))
    bottom = max(top, min(height, window.top + window.height))
    right = max(left, min(width, window.left + window.width))
    return slice(top, bottom), slice(left, right)
