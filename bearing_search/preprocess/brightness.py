"""Brightness levels -> the three channels that the encoder sees.

Axis letters: h, w rows and columns; c colours. Source: paper, section 3.1; what fewer levels and
colour become is our choice.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from bearing_search.preprocess.contrast import grey


def fuse(
    levels: Sequence[UInt8[np.ndarray, "h w ..."]], *, mid_level: bool
) -> UInt8[np.ndarray, "h w 3"]:
    """Stack brightness levels as channels.

    Three levels give b0, b1, b2, or with `mid_level` b0, mean(b0, b1), b1. Two give b0, their
    mean, b1. One grey level is repeated; one colour level keeps its colours. Of several levels in
    colour only the brightness is kept: there are three channels, and the paper has grey images.

    Args:
        levels: brightness 0 first, one to three of one size.
        mid_level: brightness 2 shows nothing; put the mean of the others between them.
    """
    if len(levels) == 1:
        only = levels[0]
        return only if only.ndim == 3 else np.repeat(only[..., None], 3, axis=2)
    plain = [grey(level) for level in levels]
    if len(plain) == 2 or mid_level:
        return np.stack([plain[0], _mean(plain[0], plain[1]), plain[1]], axis=2)
    return np.stack(plain[:3], axis=2)


def _mean(
    first: UInt8[np.ndarray, "h w"], second: UInt8[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w"]:
    mean: UInt8[np.ndarray, "h w"] = cv2.addWeighted(first, 0.5, second, 0.5, 0.0)
    return mean
