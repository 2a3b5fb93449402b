"""What is measured of a sample's mask, beside the picture that it belongs to.

Axis letters: h, w rows and columns; c colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from bearing_search.data.decoding.mask_values import MaskValues

Turn = Literal["as it is", "mirrored left to right", "mirrored top to bottom", "turned by 180"]
TURNS: tuple[Turn, ...] = (
    "as it is",
    "mirrored left to right",
    "mirrored top to bottom",
    "turned by 180",
)
"""How a mask may lie against its picture; degrees."""

_LONGER_SIDE_PX = 1024
_LEAST_MARKED_PX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFacts:
    """All masks of one sample together."""

    marked_share: float = 0.0
    """Share of the picture that is marked, in [0, 1]."""

    roi_share: float = 0.0
    """Share of the region of interest that is marked; 0 where there is no region."""

    is_cut_at_half: bool = False
    """Its values were smeared by compression or resampling."""

    is_alpha: bool = False
    """Only its opacity differs between pixels."""

    suspects_void: bool = False
    has_inner_border: bool = False
    """All of the picture's border is marked and something inside is not: looks inverted."""

    contrasts: tuple[float, ...] = ()
    """How much the marked pixels differ from those around them, for each of `TURNS`; empty where
    too little is marked."""


def mask_facts(
    masks: Sequence[MaskValues],
    marked: Bool[np.ndarray, "h w"],
    image: UInt8[np.ndarray, "h w"],
    roi_share: float,
) -> MaskFacts:
    """Measure the masks of a sample.

    Args:
        masks: one by one.
        marked: united.
        image: brightness 0, grey.
        roi_share: share of the region of interest that is marked.
    """
    if not marked.any():
        return MaskFacts()
    border = np.concatenate([marked[0], marked[-1], marked[:, 0], marked[:, -1]])
    return MaskFacts(
        marked_share=float(marked.mean()),
        roi_share=roi_share,
        is_cut_at_half=any(mask.rule == "above half" for mask in masks),
        is_alpha=any(mask.rule == "alpha" for mask in masks),
        suspects_void=any(mask.suspects_void for mask in masks),
        has_inner_border=bool(border.all() and not marked.all()),
        contrasts=contrasts(image, marked),
    )


def contrasts(
    image: UInt8[np.ndarray, "h w"], marked: Bool[np.ndarray, "h w"]
) -> tuple[float, ...]:
    """How the marked pixels differ from those just around them, under each of `TURNS`.

    The difference of the medians over the spread around, plus that of the spreads, as a logarithm.
    """
    scale = min(1.0, _LONGER_SIDE_PX / max(image.shape))
    if scale < 1:
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        shrunk = cv2.resize(marked.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        marked = shrunk > 0.5
    count = int(marked.sum())
    if count < _LEAST_MARKED_PX or 2 * count > marked.size:
        return ()
    reach = 2 * max(2, round(0.35 * np.sqrt(count))) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    around = (cv2.dilate(marked.astype(np.uint8), kernel) > 0) & ~marked
    if not around.any():
        return ()
    turned = (image, image[:, ::-1], image[::-1], image[::-1, ::-1])
    return tuple(_contrast(one[marked], one[around]) for one in turned)


def _contrast(inside: UInt8[np.ndarray, " n"], around: UInt8[np.ndarray, " m"]) -> float:
    inner, outer = float(inside.std()) + 1, float(around.std()) + 1
    step = abs(float(np.median(inside)) - float(np.median(around))) / outer
    return step + abs(float(np.log(inner / outer)))
