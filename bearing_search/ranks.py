"""Metrics as sums over the anomalous scores, given how many normal ones lie above each.

Axis letters: a anomalous scores, b normal scores, n maps, h w rows and columns.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Anomalous pixels (or samples) by falling score, and how they stand among the normal ones."""

    above: Float[np.ndarray, " a"]
    """How many normal ones score strictly higher."""

    at_least: Float[np.ndarray, " a"]
    """How many normal ones score as high or higher."""

    last_of_tie: Int[np.ndarray, " a"]
    """Position of the last anomalous one with the same score."""

    weight: Float[np.ndarray, " a"]
    """How often each counts: 1, or how often its sample was drawn."""

    num_normal: float


def rank(falling: Float[np.ndarray, " a"], rising: Float[np.ndarray, " b"]) -> Ranks:
    """Rank anomalous scores among normal ones.

    Args:
        falling: anomalous scores, sorted.
        rising: normal scores, sorted. Sorting their values is vectorised, ranking them all (an
            argsort) would take ten times as long.
    """
    count = len(rising)
    return Ranks(
        above=count - np.searchsorted(rising, falling, side="right").astype(float),
        at_least=count - np.searchsorted(rising, falling, side="left").astype(float),
        last_of_tie=last_of_tie(falling),
        weight=np.ones(len(falling)),
        num_normal=float(count),
    )


def last_of_tie(falling: Float[np.ndarray, " a"]) -> Int[np.ndarray, " a"]:
    """Position of the last score that equals each score of a sorted array."""
    if not len(falling):
        return np.empty(0, dtype=int)
    ends = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)
    positions: Int[np.ndarray, " a"] = ends[np.searchsorted(ends, np.arange(len(falling)))]
    return positions


def auroc_of(ranks: Ranks) -> float:
    """Chance that an anomalous one scores higher than a normal one, a tie counting half."""
    total = ranks.weight.sum()
    if total == 0 or ranks.num_normal == 0:
        return float("nan")
    beaten_by = (ranks.above + ranks.at_least) / 2
    return float(1 - ranks.weight @ beaten_by / (total * ranks.num_normal))


def average_precision_of(ranks: Ranks) -> float:
    """Mean, over the anomalous ones, of the precision at the threshold that just finds them."""
    total = ranks.weight.sum()
    if total == 0:
        return float("nan")
    found = ranks.weight.cumsum()[ranks.last_of_tie]
    # A resample may weigh the first ones 0: nothing flagged, nothing added.
    flagged = np.maximum(found + ranks.at_least, 1)
    return float(ranks.weight @ (found / flagged) / total)


def f1_max_of(ranks: Ranks) -> float:
    """Best F1 over all thresholds."""
    total = ranks.weight.sum()
    if total == 0:
        return float("nan")
    found = ranks.weight.cumsum()[ranks.last_of_tie]
    return float((2 * found / (found + ranks.at_least + total)).max())


def aupro_of(ranks: Ranks, region_share: Float[np.ndarray, " s"], *, fpr_limit: float) -> float:
    """Area under the per-region-overlap curve, as a sum of what each anomalous pixel adds.

    A pixel lifts the curve by its share for good, along a ramp while the normal pixels of its own
    score are crossed; the area is what lies below these ramps.

    Args:
        region_share: what each pixel adds to the mean overlap; one NaN where there is no region.
        fpr_limit: where the integration stops.
    """
    if ranks.num_normal == 0 or np.isnan(region_share).any():
        return float("nan")
    start, end = ranks.above / ranks.num_normal, ranks.at_least / ranks.num_normal
    width = end - start
    inside = np.clip(fpr_limit - start, 0, width)
    ramp = inside**2 / (2 * np.where(width > 0, width, 1))
    return float(region_share @ (ramp + np.maximum(fpr_limit - end, 0)) / fpr_limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalousPixels:
    """The anomalous pixels of all maps, by falling score."""

    scores: Float[np.ndarray, " a"]
    sample: Int[np.ndarray, " a"]
    """Position of the pixel's map."""

    area: Float[np.ndarray, " a"]
    """Of the pixel's region, in pixels."""

    num_regions: Int[np.ndarray, " n"]
    """Of each map."""


def anomalous_pixels(
    maps: Float[np.ndarray, "n h w"], masks: Bool[np.ndarray, "n h w"]
) -> AnomalousPixels:
    """Scores and 8-connected regions of the pixels that the masks mark."""
    num_regions = np.zeros(len(masks), dtype=int)
    areas = [np.empty(0, dtype=int)]
    for index in np.flatnonzero(masks.any(axis=(1, 2))):
        num_labels, labelled = cv2.connectedComponents(
            masks[index].astype(np.uint8), connectivity=8
        )
        labels = labelled[masks[index]]
        num_regions[index] = num_labels - 1
        areas.append(np.bincount(labels)[labels])
    scores = maps[masks]
    falling = np.argsort(-scores, kind="stable")
    return AnomalousPixels(
        scores=scores[falling],
        sample=np.nonzero(masks)[0][falling],
        area=np.concatenate(areas)[falling].astype(float),
        num_regions=num_regions,
    )


def region_share(
    found: AnomalousPixels, counts: Shaped[np.ndarray, " n"], missed_regions: float
) -> Float[np.ndarray, " a"]:
    """What each pixel adds to the mean overlap of the regions; one NaN where there is no region.

    Args:
        counts: how often each map is counted.
        missed_regions: further regions that no pixel belongs to.
    """
    total = float(counts @ found.num_regions) + missed_regions
    return counts[found.sample] / (found.area * total) if total else np.full(1, np.nan)
