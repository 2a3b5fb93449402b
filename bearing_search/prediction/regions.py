"""Anomalous regions of a map, in pixels of the original. Axis letters: m side of the map."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from bearing_search.runtime.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalousRegion:
    """An 8-connected region of a map, in pixels of the original; pixel centres are integers."""

    x: float
    """Its centre of mass, to the right."""

    y: float
    area_px: float
    left: int
    """Box around it, within the original."""

    top: int
    width: int
    height: int
    peak: float
    """Highest value of the map in it."""


def region_threshold(verdict: Verdict) -> float | None:
    """Map value from which a pixel counts as anomalous: `ng` for NG, else `ok`; None: no score."""
    if verdict.thresholds is None or verdict.anomaly_map is None:
        return None
    return verdict.thresholds.ng if verdict.word == "NG" else verdict.thresholds.ok


def anomalous_pixels(verdict: Verdict) -> Bool[np.ndarray, "m m"] | None:
    """Scored pixels of the map at or above `region_threshold`; None: no score."""
    limit = region_threshold(verdict)
    if limit is None or verdict.anomaly_map is None:
        return None
    above: Bool[np.ndarray, "m m"] = verdict.anomaly_map >= limit
    return above if verdict.region is None else above & verdict.region


def largest_region(verdict: Verdict) -> AnomalousRegion | None:
    """The anomalous region with the largest area; None: there is none."""
    pixels = anomalous_pixels(verdict)
    if pixels is None or not pixels.any() or verdict.anomaly_map is None:
        return None
    _, labels, stats, centres = cv2.connectedComponentsWithStats(
        pixels.astype(np.uint8), connectivity=8
    )
    label = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    peak = float(verdict.anomaly_map[labels == label].max())
    return _in_original(stats[label], centres[label], verdict, peak=peak)


def _in_original(
    stats: np.ndarray, centre: Float[np.ndarray, " 2"], verdict: Verdict, *, peak: float
) -> AnomalousRegion:
    window, size = verdict.window, verdict.picture_px
    assert verdict.anomaly_map is not None
    assert window is not None
    assert size is not None
    side = len(verdict.anomaly_map)
    wide, high = window.width / side, window.height / side
    column, row, width, height, area = (int(value) for value in stats)
    left, right = _ends(window.left, column, width, wide, size[0])
    top, bottom = _ends(window.top, row, height, high, size[1])
    return AnomalousRegion(
        # a pixel of the map covers `wide` of the original, whose first centre is at 0
        x=window.left + (float(centre[0]) + 0.5) * wide - 0.5,
        y=window.top + (float(centre[1]) + 0.5) * high - 0.5,
        area_px=area * wide * high,
        left=left,
        top=top,
        width=right - left,
        height=bottom - top,
        peak=peak,
    )


def _ends(start: int, first: int, count: int, scale: float, size: int) -> tuple[int, int]:
    """First and one-past-last pixel of the original, which has `size` of them."""
    low = start + math.floor(first * scale)
    high = start + math.ceil((first + count) * scale)
    low = min(max(low, 0), size - 1)
    return low, min(max(high, low + 1), size)
