"""Places in a thumbnail that are found again when it is turned, relit or compressed.

Axis letters: k keypoints; h, w rows and columns.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

KEYPOINTS_PX = 160 * 160
"""Pixels of the picture in which keypoints are looked for."""

_MOST = 150
_SIDES, _DIRECTIONS = 4, 8
_CODE = _SIDES * _SIDES * _DIRECTIONS
_BOX_PX = 17
_NOISE_LEVELS = 3.0
_LEAST_CONTRAST = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Keypoints:
    """SIFT keypoints (Lowe 2004)."""

    points: Float32[np.ndarray, "k 2"]
    """x, y in the thumbnail."""

    turns: Float32[np.ndarray, "k 2"]
    """Direction in degrees, and the logarithm of the size to base 2."""

    codes: UInt8[np.ndarray, "k 128"]
    """What is there, in its own direction and size."""

    def mirrored(self, width: int) -> "Keypoints":
        """The keypoints of the picture mirrored left to right."""
        points, turns = self.points.copy(), self.turns.copy()
        points[:, 0] = width - 1 - points[:, 0]
        turns[:, 0] = (180 - turns[:, 0]) % 360
        # mirrored at its own direction, a code swaps its rows, and the sense of its angles
        cells = self.codes.reshape(-1, _SIDES, _SIDES, _DIRECTIONS)[:, ::-1]
        codes = np.ascontiguousarray(cells[..., (-np.arange(_DIRECTIONS)) % _DIRECTIONS])
        return Keypoints(points=points, turns=turns, codes=codes.reshape(len(points), _CODE))


NO_KEYPOINTS = Keypoints(
    points=np.zeros((0, 2), np.float32),
    turns=np.zeros((0, 2), np.float32),
    codes=np.zeros((0, _CODE), np.uint8),
)


def keypoints_of(thumbnail: UInt8[np.ndarray, "h w"]) -> Keypoints:
    """The strongest keypoints, once local brightness and contrast are taken out."""
    height, width = thumbnail.shape
    factor = min(1.0, (KEYPOINTS_PX / (height * width)) ** 0.5)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = cv2.resize(thumbnail, size, interpolation=cv2.INTER_AREA)
    sift = cv2.SIFT.create(nfeatures=_MOST, contrastThreshold=_LEAST_CONTRAST)
    found, codes = sift.detectAndCompute(_evened(small.astype(np.float32)), np.empty(0, np.uint8))
    if not found:
        return NO_KEYPOINTS
    larger = np.array([width / size[0], height / size[1]], np.float32)
    points = np.array([point.pt for point in found[:_MOST]], np.float32)
    return Keypoints(
        points=(points + 0.5) * larger - 0.5,
        turns=np.array([(one.angle, np.log2(one.size)) for one in found[:_MOST]], np.float32),
        codes=np.asarray(codes[:_MOST], np.uint8),
    )


def _evened(plain: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    box = (_BOX_PX, _BOX_PX)
    mean = cv2.blur(plain, box)
    spread = np.sqrt(np.maximum(cv2.blur(plain * plain, box) - mean * mean, 0)) + _NOISE_LEVELS
    even: UInt8[np.ndarray, "h w"] = np.clip((plain - mean) / spread * 40 + 128, 0, 255).astype(
        np.uint8
    )
    return even
