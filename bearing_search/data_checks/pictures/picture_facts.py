"""What is measured of a sample's picture beside its brightness.

Axis letters: h, w rows and columns.
"""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

_BRIGHTEST = 0.999
"""Quantile of the pixels that counts as the brightest: a few hot ones do not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFacts:
    """Brightness 0 of one sample, and the regions of its masks."""

    width_px: int = 0
    height_px: int = 0
    crop_width_px: int = 0
    """Size of what is resized to the encoder's input, in pixels of the picture; 0: no region of
    interest."""

    crop_height_px: int = 0
    brightest: int = 255
    """Grey level that one pixel in a thousand exceeds."""

    saturated_share: float = 0.0
    """Share of the pixels at 255, in [0, 1]."""

    digest: str = ""
    """Of the decoded grey levels."""

    regions_px: tuple[int, ...] = ()
    """Area of each 8-connected region of the masks, in pixels of the picture."""


def picture_facts(
    image: UInt8[np.ndarray, "h w"], marked: Bool[np.ndarray, "h w"], crop: tuple[int, int]
) -> PictureFacts:
    """Measure a picture.

    Args:
        image: brightness 0, grey.
        marked: its masks, united.
        crop: height and width of what is resized to the encoder's input.
    """
    count, _, stats, _ = cv2.connectedComponentsWithStats(marked.astype(np.uint8), connectivity=8)
    return PictureFacts(
        width_px=image.shape[1],
        height_px=image.shape[0],
        crop_width_px=crop[1],
        crop_height_px=crop[0],
        brightest=int(np.quantile(image, _BRIGHTEST)),
        saturated_share=float((image == 255).mean()),
        digest=hashlib.sha256(image.tobytes()).hexdigest()[:16],
        regions_px=tuple(int(area) for area in stats[1:count, cv2.CC_STAT_AREA]),
    )
