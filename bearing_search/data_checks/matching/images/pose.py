"""How a picture is turned and mirrored against another, for people.

Axis letters: h, w rows and columns; c colours.
"""

import cv2
import numpy as np

from bearing_search.data_checks.matching.images.registration import Warp

_NEARLY_DEG = 1.0


def pose(warp: Warp) -> tuple[float, bool]:
    """The angle of a warp, clockwise in [-180, 180] degrees, and whether it mirrors.

    Mirroring, left to right, comes first.
    """
    is_mirrored = bool(np.linalg.det(warp[:2, :2]) < 0)
    across = warp[:2, 0] * (-1 if is_mirrored else 1)
    return round(float(np.degrees(np.arctan2(across[1], across[0]))), 1), is_mirrored


def turned(image: np.ndarray, turn_deg: float, *, is_mirrored: bool) -> np.ndarray:
    """An image mirrored left to right if asked, then turned clockwise; its corners stay in it.

    Quarter turns move pixels only.
    """
    plain = np.ascontiguousarray(image[:, ::-1]) if is_mirrored else image
    quarters = round(turn_deg / 90)
    if abs(turn_deg - 90 * quarters) < _NEARLY_DEG:
        return np.ascontiguousarray(np.rot90(plain, -quarters))
    height, width = plain.shape[:2]
    affine = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -turn_deg, 1.0)
    cos, sin = abs(affine[0, 0]), abs(affine[0, 1])
    size = (round(width * cos + height * sin), round(width * sin + height * cos))
    affine[:, 2] += (np.array(size) - (width, height)) / 2
    return np.asarray(cv2.warpAffine(plain, affine, size, flags=cv2.INTER_LINEAR))


def how_turned(turn_deg: float, *, is_mirrored: bool) -> str:
    """A pose in words; empty: as it is."""
    words = ["mirrored"] if is_mirrored else []
    if abs(turn_deg) >= _NEARLY_DEG:
        words.append(f"turned by {turn_deg:.0f} degrees")
    return " and ".join(words)
