"""What is kept of a picture to look for its copies: a thumbnail, keypoints and an overview.

Axis letters: h, w rows and columns; c colours; k keypoints.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float32, Int8, UInt8

from bearing_search.preprocess.contrast import grey

THUMBNAIL_PX = 256 * 256
"""Pixels of a thumbnail; smaller pictures keep their size."""

OVERVIEW_PX = 64
"""Side of an overview. Pictures that lie alike are compared by it."""

MOST_KEYPOINTS = 300

_FLAT_LEVELS = 0.5
"""Below this deviation of its fine structure, in grey levels, a picture shows nothing."""

_BOX_PX = 17
_NOISE_LEVELS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A picture, small; the same for equal files read with the same bit depth."""

    thumbnail: UInt8[np.ndarray, "h w"]
    size: tuple[int, int]
    """Rows and columns of the picture itself."""

    points: Float32[np.ndarray, "k 2"]
    """x, y of keypoints in the thumbnail."""

    codes: UInt8[np.ndarray, "k 32"] = field(repr=False)
    """ORB descriptors (Rublee et al. 2011), which turn with the picture."""

    overview: Int8[np.ndarray, " d"] = field(repr=False)
    """Fine structure at 64 x 64 px, squeezed to a square; empty in a blank picture."""

    @property
    def keypoints(self) -> tuple[Float32[np.ndarray, "k 2"], UInt8[np.ndarray, "k 32"]]:
        """Points and codes."""
        return self.points, self.codes

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
    points, codes = keypoints(thumbnail)
    return Description(
        thumbnail=thumbnail,
        size=(plain.shape[0], plain.shape[1]),
        points=points,
        codes=codes,
        overview=overview_of(small),
    )


def _blank(thumbnail: UInt8[np.ndarray, "h w"], size: tuple[int, int]) -> Description:
    points, codes = np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8)
    return Description(
        thumbnail=thumbnail,
        size=size,
        points=points,
        codes=codes,
        overview=np.zeros(0, np.int8),
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


def _without_light(image: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """The image with its local mean and contrast taken out."""
    box = (_BOX_PX, _BOX_PX)
    mean = cv2.blur(image, box, borderType=cv2.BORDER_REFLECT)
    square = cv2.blur(image * image, box, borderType=cv2.BORDER_REFLECT)
    spread = np.sqrt(np.maximum(square - mean * mean, 0)) + _NOISE_LEVELS
    even: Float32[np.ndarray, "h w"] = (image - mean) / spread
    return even


def keypoints(
    thumbnail: UInt8[np.ndarray, "h w"],
) -> tuple[Float32[np.ndarray, "k 2"], UInt8[np.ndarray, "k 32"]]:
    """Points and codes of a thumbnail."""
    even = _without_light(thumbnail.astype(np.float32))
    image = np.asarray(np.clip(even * 40 + 128, 0, 255), dtype=np.uint8)
    orb = cv2.ORB.create(
        nfeatures=MOST_KEYPOINTS,
        scaleFactor=1.2,
        nlevels=8,
        edgeThreshold=12,
        patchSize=24,
        fastThreshold=8,
    )
    found, codes = orb.detectAndCompute(image, np.empty(0, np.uint8))
    if not found:
        return np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8)
    return np.array([point.pt for point in found], np.float32), np.asarray(codes, np.uint8)
