"""Keypoints that survive more than ORB's, for the few pictures that need them.

Axis letters: k keypoints; d numbers of a descriptor.
"""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

_MOST = 400
_SIDES, _DIRECTIONS = 4, 8


class Keypoints(NamedTuple):
    """Places in a thumbnail, and what is there."""

    points: Float32[np.ndarray, "k 2"]
    codes: Float32[np.ndarray, "k d"]

    def mirrored(self, width: int) -> "Keypoints":
        """Those of the picture mirrored left to right."""
        points = self.points.copy()
        points[:, 0] = width - 1 - points[:, 0]
        # mirrored at its own direction, a descriptor swaps its rows, and the sense of its angles
        cells = self.codes.reshape(-1, _SIDES, _SIDES, _DIRECTIONS)[:, ::-1]
        turned = (-np.arange(_DIRECTIONS)) % _DIRECTIONS
        return Keypoints(points, np.ascontiguousarray(cells[..., turned]).reshape(len(points), -1))


def more_keypoints(thumbnail: UInt8[np.ndarray, "h w"]) -> Keypoints:
    """SIFT keypoints (Lowe 2004) of a thumbnail."""
    sift = cv2.SIFT.create(nfeatures=_MOST, contrastThreshold=0.01)
    found, codes = sift.detectAndCompute(thumbnail, np.empty(0, np.uint8))
    if not found:
        return Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    points = np.array([point.pt for point in found], np.float32)
    return Keypoints(points, np.asarray(codes, np.float32))
