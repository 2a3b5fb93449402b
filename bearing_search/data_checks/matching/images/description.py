"""What is kept of a picture to look for its copies: a thumbnail, keypoints and an overview.

Axis letters: h, w rows and columns; c colours.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float32, Int8, UInt8

from bearing_search.data_checks.matching.images.keypoints import (
    NO_KEYPOINTS,
    Keypoints,
    keypoints_of,
)
from bearing_search.preprocess.contrast import grey

THUMBNAIL_PX = 256 * 256
"""Pixels of a thumbnail; smaller pictures keep their size."""

OVERVIEW_PX = 64
"""Side of an overview. Pictures that lie alike are compared by it."""

_FLAT_LEVELS = 0.5
"""Below this deviation of its fine structure, in grey levels, a picture shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A picture, small; the same for equal files read with the same bit depth."""

    thumbnail: UInt8[np.ndarray, "h w"]
    size: tuple[int, int]
    """Rows and columns of the picture itself."""

    keypoints: Keypoints = field(repr=False)

    overview: Int8[np.ndarray, " d"] = field(repr=False)
    """Fine structure at 64 x 64 px, squeezed to a square; empty in a blank picture."""

    @property
    def is_blank(self) -> bool:
        """Whether the picture shows nothing that could be compared."""
        return not len(self.overview)


def describe(image: UInt8[np.ndarray, "h w *c"]) -> Description:
    """The description of a picture; black and other even pictures are blank."""
    plain = grey(image)
    thumbnail = _thumbnail(plain)
    small = thumbnail.astype(np.float32)
    if float((small - cv2.GaussianBlur(small, (0, 0), 2.0)).std()) < _FLAT_LEVELS:
        return _blank(thumbnail, (plain.shape[0], plain.shape[1]))
    return Description(
        thumbnail=thumbnail,
        size=(plain.shape[0], plain.shape[1]),
        keypoints=keypoints_of(thumbnail),
        overview=overview_of(small),
    )


def _blank(thumbnail: UInt8[np.ndarray, "h w"], size: tuple[int, int]) -> Description:
    return Description(
        thumbnail=thumbnail, size=size, keypoints=NO_KEYPOINTS, overview=np.zeros(0, np.int8)
    )


def overview_of(thumbnail: Float32[np.ndarray, "h w"]) -> Int8[np.ndarray, " d"]:
    """Fine structure of a thumbnail at 64 x 64 px, of length about 4,000."""
    small = cv2.resize(thumbnail, (OVERVIEW_PX, OVERVIEW_PX), interpolation=cv2.INTER_AREA)
    fine = small - cv2.GaussianBlur(small, (0, 0), 2.0)
    even = fine / (np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 4.0)) + 1.0)
    rounded: Int8[np.ndarray, " d"] = np.clip(np.rint(even.ravel() * 50), -127, 127).astype(np.int8)
    return rounded


def _thumbnail(plain: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "t u"]:
    height, width = plain.shape
    factor = min(1.0, (THUMBNAIL_PX / (height * width)) ** 0.5)
    if factor == 1.0:
        return plain
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(plain, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
