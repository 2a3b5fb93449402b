"""Exact AUROC, AP, F1-max and AUPRO of anomaly maps and image scores.

A curve over thresholds gains true positives only at the scores of anomalous pixels. So every metric
here is a sum over the few anomalous pixels, given how many of the many normal ones score higher
(see `bearing_search.evaluation.rank_metrics`). A threshold passes all equal scores at once, so the
order of the pixels does not matter.

Axis letters: n samples, p samples whose pixels are labelled (all but anomalous ones without a
mask), h w rows and columns, a anomalous pixels, k drawn samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from bearing_search.errors import TrialFailedError
from bearing_search.evaluation.metric_table import METRICS, values_of
from bearing_search.evaluation.rank_metrics import (
    RankedScores,
    Ranks,
    anomalous_pixels,
    aupro_of,
    aupro_of_even_thresholds,
    auroc_of,
    average_precision_of,
    dtype_of_counts,
    f1_max_of,
    last_of_tie,
    overlap_gains,
    rank,
)


def score(
    maps: Float32[np.ndarray, "p h w"],
    masks: Bool[np.ndarray, "p h w"],
    image_scores: Float[np.ndarray, " n"],
    is_anomalous: Bool[np.ndarray, " n"],
    *,
    fpr_limit: float = 0.3,
    missed_regions: int = 0,
) -> dict[str, float]:
    """Every metric of METRICS by name, and `pixel_aupro_200`; NaN where undefined.

    Args:
        maps: anomaly maps of the samples whose pixels are labelled; higher is more anomalous, in
            any unit.
        masks: ground truth at the maps' size.
        image_scores: one score per sample, in any unit.
        is_anomalous: labels of the samples, from the data set rather than the masks.
        fpr_limit: false positive rate up to which AUPRO integrates.
        missed_regions: ground-truth regions that preprocessing cropped away entirely; each counts
            as a region that no threshold finds.

    Returns:
        `pixel_aupro_200` is Dinomaly's variant (200 evenly spaced thresholds, rescaled false
        positive rate), only for comparison with published tables: it depends on the score scale.

    Raises:
        TrialFailedError: a map or score is not finite.
    """
    _require_finite(maps, image_scores)
    found = anomalous_pixels(maps, masks)
    normal = np.sort(maps[~masks])
    ranks = rank(found.scores, normal)
    gains = overlap_gains(found, np.ones(len(maps)))
    num_regions = float(found.num_regions.sum() + missed_regions)
    pixels = RankedScores(
        ranks=ranks, overlap_gains=gains, num_regions=num_regions, fpr_limit=fpr_limit
    )
    return {
        **values_of(pixels=pixels, samples=_of_samples(image_scores, is_anomalous, fpr_limit)),
        "pixel_aupro_200": aupro_of_even_thresholds(
            found.scores, gains / num_regions, normal, fpr_limit
        ),
    }


def auroc(scores: Float[np.ndarray, " n"], is_anomalous: Bool[np.ndarray, " n"]) -> float:
    """Area under the ROC curve; NaN unless both labels occur."""
    return auroc_of(_rank_flat(scores, is_anomalous))


def average_precision(
    scores: Float[np.ndarray, " n"], is_anomalous: Bool[np.ndarray, " n"]
) -> float:
    """Average precision (step-wise, no trapezoids); NaN without anomalous scores."""
    return average_precision_of(_rank_flat(scores, is_anomalous))


def f1_max(scores: Float[np.ndarray, " n"], is_anomalous: Bool[np.ndarray, " n"]) -> float:
    """Best F1 over all thresholds; NaN without anomalous scores."""
    return f1_max_of(_rank_flat(scores, is_anomalous))


def aupro(
    maps: Float[np.ndarray, "n h w"],
    masks: Bool[np.ndarray, "n h w"],
    *,
    fpr_limit: float = 0.3,
    missed_regions: int = 0,
) -> float:
    """Area under the per-region-overlap curve up to `fpr_limit`, scaled to [0, 1].

    A region is an 8-connected component of a mask; all regions have equal weight regardless of
    size. The false positive rate is over the normal pixels of all maps. The curve is interpolated
    at the limit, not cut before it. NaN without regions or without normal pixels.

    Source: Bergmann et al. 2021 (MVTec AD), who also set the limit of 0.3.
    """
    found = anomalous_pixels(maps, masks)
    return aupro_of(
        rank(found.scores, np.sort(maps[~masks])),
        overlap_gains(found, np.ones(len(maps))),
        num_regions=float(found.num_regions.sum() + missed_regions),
        fpr_limit=fpr_limit,
    )


def trivial_floor(
    masks: Bool[np.ndarray, "p h w"],
    is_anomalous: Bool[np.ndarray, " n"],
    *,
    fpr_limit: float = 0.3,
    missed_regions: int = 0,
) -> dict[str, float]:
    """Value of each metric when all scores are equal: the baseline of an uninformative detector.

    .5 for AUROC, the share of anomalous pixels or samples for AP, that of flagging everything for
    F1, half the limit for AUPRO.
    """
    constant, scores = np.zeros(masks.shape, dtype=np.float32), np.zeros(len(is_anomalous))
    values = score(
        constant, masks, scores, is_anomalous, fpr_limit=fpr_limit, missed_regions=missed_regions
    )
    return {name: values[name] for name in METRICS}


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedRegions:
    """Ground-truth regions that no threshold finds, and samples whose regions are unknown."""

    by_sample: Sequence[int] = ()
    """Regions that preprocessing cropped away, per sample; empty: none."""

    without_map: int = 0
    """Regions of samples without a map; missed in every resample."""

    is_unknown: Sequence[bool] = ()
    """Whether each sample is anomalous without a mask; no pixel of it counts. Empty: none is."""


_NONE_MISSED = MissedRegions()


class PreparedScores:
    """Maps and scores prepared so that the metrics of a resample cost a matrix-vector product.

    Needs 4 bytes (8 if all maps together have more than 16.7 million pixels) per pair of anomalous
    pixel and sample.

    Args:
        maps, masks, image_scores, is_anomalous, fpr_limit: as in `score`.
        missed: regions that are on no map.

    Raises:
        TrialFailedError: a map or score is not finite.
    """

    def __init__(
        self,
        maps: Float32[np.ndarray, "n h w"],
        masks: Bool[np.ndarray, "n h w"],
        image_scores: Float[np.ndarray, " n"],
        is_anomalous: Bool[np.ndarray, " n"],
        *,
        fpr_limit: float = 0.3,
        missed: MissedRegions = _NONE_MISSED,
    ) -> None:
        _require_finite(maps, image_scores)
        self._image_scores, self._is_anomalous = image_scores, is_anomalous
        self._fpr_limit = fpr_limit
        self._without_map = missed.without_map
        self._missed = np.array(missed.by_sample or [0] * len(maps))
        self._is_known = ~np.array(missed.is_unknown or [False] * len(maps))
        self._found = anomalous_pixels(maps, masks)
        self._last_of_tie = last_of_tie(self._found.scores)
        self._num_normal = (~masks).sum(axis=(1, 2)).astype(float)
        exact = dtype_of_counts(maps.size)
        self._above = np.empty((len(self._found.scores), len(maps)), dtype=exact)
        tied = np.empty_like(self._above)
        for index, (one_map, mask) in enumerate(zip(maps, masks, strict=True)):
            ranks = rank(self._found.scores, np.sort(one_map[~mask]))
            self._above[:, index] = ranks.above
            tied[:, index] = ranks.at_least - ranks.above
        # Ties with normal pixels are rare in real maps: only their rows are stored.
        self._tied_rows = np.flatnonzero(tied.any(axis=1))
        self._tied = tied[self._tied_rows]

    def at(self, samples: Int[np.ndarray, " k"]) -> dict[str, float]:
        """Every metric of the drawn samples (with repetitions), as `score` computes them."""
        drawn, labels = self._image_scores[samples], self._is_anomalous[samples]
        counts = np.bincount(samples, minlength=len(self._num_normal)) * self._is_known
        exact = counts.astype(self._above.dtype)
        above = (self._above @ exact).astype(float)
        at_least = above.copy()
        at_least[self._tied_rows] += self._tied @ exact
        ranks = Ranks(
            above=above,
            at_least=at_least,
            last_of_tie=self._last_of_tie,
            weight=counts[self._found.sample].astype(float),
            num_normal=float(counts @ self._num_normal),
        )
        pixels = RankedScores(
            ranks=ranks,
            overlap_gains=overlap_gains(self._found, counts),
            num_regions=float(
                counts @ (self._found.num_regions + self._missed) + self._without_map
            ),
            fpr_limit=self._fpr_limit,
        )
        return values_of(pixels=pixels, samples=_of_samples(drawn, labels, self._fpr_limit))


def _rank_flat(scores: Float[np.ndarray, " n"], is_anomalous: Bool[np.ndarray, " n"]) -> Ranks:
    return rank(-np.sort(-scores[is_anomalous]), np.sort(scores[~is_anomalous]))


def _of_samples(
    scores: Float[np.ndarray, " n"], is_anomalous: Bool[np.ndarray, " n"], fpr_limit: float
) -> RankedScores:
    return RankedScores(
        ranks=_rank_flat(scores, is_anomalous),
        overlap_gains=None,
        num_regions=0.0,
        fpr_limit=fpr_limit,
    )


def _require_finite(*arrays: np.ndarray) -> None:
    broken = sum(int((~np.isfinite(array)).sum()) for array in arrays)
    if broken:
        raise TrialFailedError(
            f"{broken} anomaly scores are not finite: the training diverged. "
            "Lower its learning rate."
        )
