"""Scores preprocessing settings without labels and without a GPU.

Axis letters: h, w rows and columns; c colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from bearing_search.config import PreprocessConfig
from bearing_search.data.samples import Sample, read_brightness_0
from bearing_search.preprocess.locate import NoRoi, RoiReference, detect, locate
from bearing_search.preprocess.shapes import Circle, Shape

SHIFTS_PX = ((5, 3), (-4, 6))
"""Shifts of the image, right and down, that test whether the region follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiScore:
    """Three scores of one part; higher is better for the first, lower for the others."""

    found_share: float
    """Share of the samples with a region of interest."""

    size_spread: float
    """Standard deviation of the radius (ellipse: half major axis) as a share of its mean.
    Machined parts are equal, so any spread is due to the extraction. NaN with fewer than two."""

    instability_px: float
    """How far the shape moves relative to the image when the image is shifted by a few pixels, in
    pixels, mean over shifts and samples. A shape lost by the shift counts with its own size. NaN
    if none is found."""


def roi_score(
    samples: Sequence[Sample],
    reference: RoiReference,
    config: PreprocessConfig,
    *,
    num_samples: int = 6,
) -> RoiScore:
    """Score the settings on a handful of samples, spread evenly over those given.

    A part that is used whole scores 1, 0, 0.

    Raises:
        DataError: a brightness 0 cannot be read.
    """
    if reference.geometry == "none":
        return RoiScore(found_share=1.0, size_spread=0.0, instability_px=0.0)
    chosen = np.unique(np.linspace(0, len(samples) - 1, min(num_samples, len(samples))).astype(int))
    shapes: list[Shape] = []
    moves: list[float] = []
    for index in chosen:
        image = read_brightness_0(samples[index])
        shape = _found(image, reference, config)
        if shape is None:
            continue
        shapes.append(shape)
        moves += [_move(image, shape, shift, reference, config) for shift in SHIFTS_PX]
    sizes = [_size(shape) for shape in shapes]
    return RoiScore(
        found_share=len(shapes) / len(chosen),
        size_spread=float(np.std(sizes) / np.mean(sizes)) if len(sizes) > 1 else float("nan"),
        instability_px=float(np.mean(moves)) if moves else float("nan"),
    )


def _found(
    image: UInt8[np.ndarray, "h w *c"], reference: RoiReference, config: PreprocessConfig
) -> Shape | None:
    detection = detect(image, reference.geometry, config)
    shape = locate(image, detection, reference, config, name="")
    return None if isinstance(shape, NoRoi) else shape


def _move(
    image: UInt8[np.ndarray, "h w *c"],
    shape: Shape,
    shift: tuple[int, int],
    reference: RoiReference,
    config: PreprocessConfig,
) -> float:
    height, width = image.shape[:2]
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], dtype=np.float32)
    shifted = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    again = _found(shifted, reference, config)
    if again is None:
        return _size(shape)
    return float(np.hypot(again.x - shape.x - shift[0], again.y - shape.y - shift[1]))


def _size(shape: Shape) -> float:
    return shape.radius if isinstance(shape, Circle) else shape.semi_major
