"""Places in a thumbnail that are found again when it is turned, relit or compressed.

Axis letters: k keypoints; d numbers of a code; h, w rows and columns.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, Shaped, UInt8

_MOST_QUICK = 300
_MOST_SIFT = 400
_SIDES, _DIRECTIONS = 4, 8
_BOX_PX = 17
_NOISE_LEVELS = 2.0


class Keypoints(NamedTuple):
    """Places in a thumbnail, and what is there."""

    points: Float32[np.ndarray, "k 2"]
    """x, y."""

    codes: Shaped[np.ndarray, "k d"]
    """Bits in bytes (ORB), or real numbers (SIFT)."""


def quick_keypoints(thumbnail: UInt8[np.ndarray, "h w"]) -> Keypoints:
    """ORB keypoints (Rublee et al. 2011), with local brightness and contrast taken out."""
    plain = thumbnail.astype(np.float32)
    box = (_BOX_PX, _BOX_PX)
    mean = cv2.blur(plain, box)
    spread = np.sqrt(np.maximum(cv2.blur(plain * plain, box) - mean * mean, 0)) + _NOISE_LEVELS
    even = np.clip((plain - mean) / spread * 40 + 128, 0, 255).astype(np.uint8)
    orb = cv2.ORB.create(
        nfeatures=_MOST_QUICK,
        scaleFactor=1.2,
        nlevels=8,
        edgeThreshold=12,
        patchSize=24,
        fastThreshold=8,
    )
    found, codes = orb.detectAndCompute(even, np.empty(0, np.uint8))
    if not found:
        return Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8))
    return Keypoints(_points(found), np.asarray(codes, np.uint8))


def sift_keypoints(thumbnail: UInt8[np.ndarray, "h w"]) -> Keypoints:
    """SIFT keypoints (Lowe 2004), which survive more than ORB's and take ten times as long."""
    sift = cv2.SIFT.create(nfeatures=_MOST_SIFT, contrastThreshold=0.01)
    found, codes = sift.detectAndCompute(thumbnail, np.empty(0, np.uint8))
    if not found:
        return Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    return Keypoints(_points(found), np.asarray(codes, np.float32))


def mirrored_sift(keypoints: Keypoints, width: int) -> Keypoints:
    """SIFT keypoints of the picture mirrored left to right."""
    points = keypoints.points.copy()
    points[:, 0] = width - 1 - points[:, 0]
    # mirrored at its own direction, a code swaps its rows, and the sense of its angles
    cells = keypoints.codes.reshape(-1, _SIDES, _SIDES, _DIRECTIONS)[:, ::-1]
    turned = (-np.arange(_DIRECTIONS)) % _DIRECTIONS
    return Keypoints(points, np.ascontiguousarray(cells[..., turned]).reshape(len(points), -1))


def _points(found: Sequence[cv2.KeyPoint]) -> Float32[np.ndarray, "k 2"]:
    return np.array([point.pt for point in found], dtype=np.float32)
