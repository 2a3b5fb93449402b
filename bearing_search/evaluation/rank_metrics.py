"""Metrics as sums over anomalous scores, given how many normal scores are above each.

Axis letters: a anomalous scores, b normal scores, n maps, h w rows and columns.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

EVEN_THRESHOLDS = 200
"""Number of thresholds of `aupro_of_even_thresholds`, starting at the lowest score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Ranks of anomalous pixels (or samples), in descending order, among the normal ones."""

    above: Float[np.ndarray, " a"]
    """Number of normal scores that are strictly higher."""

    at_least: Float[np.ndarray, " a"]
    """Number of normal scores that are equal or higher."""

    last_of_tie: Int[np.ndarray, " a"]
    """Index of the last anomalous score in the same tie."""

    weight: Float[np.ndarray, " a"]
    """Weight: 1, or how often its sample was drawn."""

    num_normal: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedScores:
    """Input of a metric: ranked pixels of a set of samples, or the ranked samples themselves."""

    ranks: Ranks
    overlap_gains: Float[np.ndarray, " a"] | None
    """What each anomalous pixel adds to the overlap of its region; None for samples."""

    num_regions: float
    """Number of ground-truth regions, including those on no map; 0 for samples."""

    fpr_limit: float
    """The protocol's false positive rate up to which a partial area is computed."""


def rank(falling: Float[np.ndarray, " a"], rising: Float[np.ndarray, " b"]) -> Ranks:
    """Rank anomalous scores among normal ones.

    Args:
        falling: anomalous scores, in descending order.
        rising: normal scores, in ascending order. Sorting values is vectorised; ranking them all
            (argsort) would take ten times as long.
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
    """Index of the last score equal to each score of a sorted array."""
    if not len(falling):
        return np.empty(0, dtype=int)
    ends = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)
    positions: Int[np.ndarray, " a"] = ends[np.searchsorted(ends, np.arange(len(falling)))]
    return positions


def dtype_of_counts(highest: int) -> type[np.floating]:
    """The smallest floating type that holds every whole number up to the highest exactly."""
    return np.float32 if highest <= 2**24 else np.float64


def auroc_of(ranks: Ranks) -> float:
    """AUROC: probability that an anomalous score is higher than a normal one; ties count half."""
    total = ranks.weight.sum()
    if total == 0 or ranks.num_normal == 0:
        return float("nan")
    beaten_by = (ranks.above + ranks.at_least) / 2
    return float(1 - ranks.weight @ beaten_by / (total * ranks.num_normal))


def average_precision_of(ranks: Ranks) -> float:
    """Average precision: mean over the anomalous scores of the precision at that threshold."""
    total = ranks.weight.sum()
    if total == 0:
        return float("nan")
    found = ranks.weight.cumsum()[ranks.last_of_tie]
    # In a resample the first weights may be 0: nothing is flagged, nothing added.
    flagged = np.maximum(found + ranks.at_least, 1)
    return float(ranks.weight @ (found / flagged) / total)


def f1_max_of(ranks: Ranks) -> float:
    """Best F1 over all thresholds."""
    total = ranks.weight.sum()
    if total == 0:
        return float("nan")
    found = ranks.weight.cumsum()[ranks.last_of_tie]
    return float((2 * found / (found + ranks.at_least + total)).max())


def aupro_of(
    ranks: Ranks, gains: Float[np.ndarray, " a"], *, num_regions: float, fpr_limit: float
) -> float:
    """Area under the per-region-overlap curve, as a sum over the anomalous pixels.

    Each pixel raises the curve permanently, along a ramp across the normal pixels with the same
    score; the area is the sum of the areas below these ramps.

    Args:
        gains: what each pixel adds to the overlap of its region.
        num_regions: number of regions in the mean overlap, including missed ones.
        fpr_limit: false positive rate up to which to integrate.
    """
    if ranks.num_normal == 0 or num_regions == 0:
        return float("nan")
    start, end = ranks.above / ranks.num_normal, ranks.at_least / ranks.num_normal
    width = end - start
    inside = np.clip(fpr_limit - start, 0, width)
    ramp = inside**2 / (2 * np.where(width > 0, width, 1))
    area = gains @ (ramp + np.maximum(fpr_limit - end, 0))
    return float(area / (num_regions * fpr_limit))


def aupro_of_even_thresholds(
    falling: Float[np.ndarray, " a"],
    share: Float[np.ndarray, " a"],
    rising: Float[np.ndarray, " b"],
    fpr_limit: float,
) -> float:
    """AUPRO as in Dinomaly's code, from 200 even thresholds; depends on the scores' scale.

    The false positive rates below the limit are rescaled to end at 1. NaN if all of them are 0.

    Args:
        falling: scores of the anomalous pixels.
        share: what each of them adds to the mean overlap.
        rising: scores of the normal pixels.
    """
    if not len(falling) or not len(rising):
        return float("nan")
    low, high = min(falling[-1], rising[0]), max(falling[0], rising[-1])
    thresholds = np.linspace(low, high, EVEN_THRESHOLDS, endpoint=False, dtype=rising.dtype)
    false_positives = len(rising) - np.searchsorted(rising, thresholds, side="right")
    num_found = len(falling) - np.searchsorted(falling[::-1], thresholds, side="right")
    overlap = np.concatenate(([0.0], share.cumsum()))[num_found]
    rates = false_positives / len(rising)
    kept = rates < fpr_limit
    if not kept.any() or rates[kept].max() == 0:
        return float("nan")
    rescaled = rates[kept] / rates[kept].max()
    return float(np.trapezoid(overlap[kept][::-1], rescaled[::-1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalousPixels:
    """The anomalous pixels of all maps, by descending score."""

    scores: Float[np.ndarray, " a"]
    sample: Int[np.ndarray, " a"]
    """Index of the pixel's map."""

    area: Float[np.ndarray, " a"]
    """Area of the pixel's region, in pixels."""

    num_regions: Int[np.ndarray, " n"]
    """Number of regions of each map."""


def anomalous_pixels(
    maps: Float[np.ndarray, "n h w"], masks: Bool[np.ndarray, "n h w"]
) -> AnomalousPixels:
    """Scores and 8-connected regions of the pixels that the masks mark."""
    import cv2  # not needed to name or look up a metric, as `status` and `check` do

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


def overlap_gains(
    found: AnomalousPixels, counts: Shaped[np.ndarray, " n"]
) -> Float[np.ndarray, " a"]:
    """What each pixel adds to the overlap of its region, with maps weighted by `counts`."""
    gains: Float[np.ndarray, " a"] = counts[found.sample] / found.area
    return gains
