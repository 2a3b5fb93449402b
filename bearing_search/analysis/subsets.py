"""Scores of a part by kind of defect, by size of defect, and without a brightness level.

Each subset of the anomalous samples is scored against all normal ones.

Axis letters: n samples.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.analysis.comparison import FoldPredictions, score_intervals
from bearing_search.analysis.intervals import Interval
from bearing_search.analysis.operating.operating_points import OperatingPoint, flagged_rate
from bearing_search.config import ProtocolConfig, TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.data.fold_key import FoldKey
from bearing_search.evaluation.predictions import Predictions
from bearing_search.evaluation.rank_metrics import anomalous_pixels

_SIZES = ((1, "below 1 patch"), (4, "1 to 4 patches"), (16, "4 to 16 patches"))
_LARGEST = "16 patches or more"
_NO_REGION = "nothing marked on the map"
_UNMASKED = "no mask, so unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetRow:
    """One subset of a part's anomalous samples, scored against all of its normal ones."""

    part: str
    subset: str
    """Kind or size of the defects, or the level left out."""

    is_in_training: bool | None
    """Whether train has defects of this kind with a mask, which alone can be learned from; None
    where the rows are no kinds."""

    samples: int
    """Number of anomalous samples that were scored."""

    found: Mapping[str, Interval]
    """Rule of a threshold -> share of them that it flags."""

    false_alarms: Mapping[str, Interval]
    """Rule of a threshold -> share of the normal samples that it flags."""

    image_auroc: Interval
    pixel_ap: Interval | None
    """Pixel average precision; None if no mask marks anything."""


def kinds_in_training(config: TrialConfig, data_set: DataSet) -> dict[str, set[str]]:
    """Part -> kinds of defect that its training learns from: of all parts if they share one model.

    Nothing is learned from defects without a mask.
    """
    parts = data_set.chosen_parts(config.parts)
    kinds = {
        part: {
            s.defect
            for s in data_set.samples("train", part)
            if s.is_anomalous and not s.is_unmasked
        }
        for part in parts
    }
    if config.scope == "multi_part":
        return dict.fromkeys(parts, set().union(*kinds.values()))
    return kinds


def by_kind(
    test: FoldPredictions,
    points: Sequence[OperatingPoint],
    protocol: ProtocolConfig,
    trained_kinds: Mapping[str, Collection[str]],
) -> tuple[SubsetRow, ...]:
    """A row for each part and kind of defect.

    Args:
        test: predictions, with one fold per part.
        points: thresholds to count at.
        trained_kinds: part -> kinds of defect in its training data.
    """
    rows = []
    for key, predictions in test.items():
        part, kinds = FoldKey.parse(key).part, np.array(predictions.defects, dtype=str)
        for kind in sorted(set(kinds[predictions.is_anomalous].tolist())) if len(kinds) else ():
            chosen = predictions.is_anomalous & (kinds == kind)
            known = kind in trained_kinds.get(part, ())
            rows.append(
                subset_row(key, with_normals(predictions, chosen), points, protocol, kind, known)
            )
    return tuple(rows)


def by_size(
    test: FoldPredictions, points: Sequence[OperatingPoint], protocol: ProtocolConfig
) -> tuple[SubsetRow, ...]:
    """A row for each part and size of defect that occurs, smallest first.

    The size of a sample is the area of its largest region, in patches of the detector's grid; a
    size that is a limit belongs to the larger bin. No rows of a part without masks.
    """
    rows = []
    for key, predictions in test.items():
        if predictions.lacks_pixel_labels:
            continue
        sizes = largest_regions(predictions)
        limits = [0.0, *(float(limit) for limit, _ in _SIZES), np.inf]
        titles = [*(title for _, title in _SIZES), _LARGEST]
        bins = {
            title: (sizes > 0) & (sizes >= low) & (sizes < high) & ~predictions.is_unmasked
            for title, low, high in zip(titles, limits, limits[1:], strict=False)
        }
        bins[_NO_REGION] = (sizes == 0) & ~predictions.is_unmasked
        bins[_UNMASKED] = predictions.is_unmasked
        for title, is_inside in bins.items():
            chosen = predictions.is_anomalous & is_inside
            if chosen.any():
                scored = with_normals(predictions, chosen)
                rows.append(subset_row(key, scored, points, protocol, title))
    return tuple(rows)


def by_level_left_out(
    test: FoldPredictions, points: Sequence[OperatingPoint], protocol: ProtocolConfig
) -> tuple[SubsetRow, ...]:
    """A row for each part and brightness level left out; none where the levels share one map."""
    return tuple(
        subset_row(key, predictions.without_level(level), points, protocol, f"without b{level}")
        for key, predictions in test.items()
        for level in range(predictions.distances.shape[1])
        if predictions.distances.shape[1] > 1
    )


def largest_regions(predictions: Predictions) -> Float[np.ndarray, " n"]:
    """Area of the largest region of each sample, in patches of the detector's grid; 0 if none."""
    found = anomalous_pixels(predictions.maps, predictions.masks)
    largest = np.zeros(len(predictions.names))
    np.maximum.at(largest, found.sample, found.area)
    rows, columns = predictions.distances.shape[-2:]
    patches: Float[np.ndarray, " n"] = largest * rows * columns / predictions.masks[0].size
    return patches


def subset_row(
    key: str,
    scored: Predictions,
    points: Sequence[OperatingPoint],
    protocol: ProtocolConfig,
    subset: str,
    is_in_training: bool | None = None,
) -> SubsetRow:
    """The row of a subset: rates at the part's thresholds, and metrics.

    Args:
        key: of the fold.
        scored: predictions of the subset and of all normal samples.
        points: thresholds, of any part.
        protocol: how they are scored.
        subset: name of the row.
        is_in_training: whether train has this kind.
    """
    part = FoldKey.parse(key).part
    metrics = score_intervals({key: scored}, protocol)
    own = {point.rule: point.threshold for point in points if point.part == part}

    def rates(counted: Bool[np.ndarray, " n"]) -> dict[str, Interval]:
        return {rule: flagged_rate(scored, limit, counted) for rule, limit in own.items()}

    return SubsetRow(
        part=part,
        subset=subset,
        is_in_training=is_in_training,
        samples=int(scored.is_anomalous.sum()),
        found=rates(scored.is_anomalous),
        false_alarms=rates(~scored.is_anomalous),
        image_auroc=metrics["image_auroc"],
        pixel_ap=metrics.get("pixel_ap") if scored.masks.any() else None,
    )


def with_normals(predictions: Predictions, chosen: Bool[np.ndarray, " n"]) -> Predictions:
    """The predictions of the chosen samples and of all normal ones."""
    return predictions.only(chosen | ~predictions.is_anomalous)
