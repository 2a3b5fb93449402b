"""Confidence intervals of scores and of paired differences, from a jackknife over groups.

Axis letters: n samples, g groups of a fold, m metrics, k folds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.analysis.intervals import (
    Influence,
    Interval,
    difference_interval,
    metric_interval,
)
from bearing_search.config import ProtocolConfig
from bearing_search.data.fold_key import FoldKey
from bearing_search.evaluation.mean_metrics import mean_metrics
from bearing_search.evaluation.metric_table import METRICS, Level
from bearing_search.evaluation.predictions import Predictions

FoldPredictions = Mapping[str, Predictions]
"""Key of a fold (a `FoldKey` as text, `LC/fold0`) -> its stored predictions."""

Influences = Mapping[str, Influence]
"""Part -> its metrics and the influence of each of its groups."""


def score_intervals(folds: FoldPredictions, protocol: ProtocolConfig) -> dict[str, Interval]:
    """Name (`pixel_aupro`, `LC/pixel_aupro`) -> 95 % interval of the mean metric."""
    found = influences(folds, protocol)
    return {
        name: metric_interval(_parts(found, part), metric)
        for name, (part, metric) in _rows(folds).items()
    }


def difference_intervals(
    folds: FoldPredictions, others: FoldPredictions, protocol: ProtocolConfig
) -> dict[str, Interval]:
    """Name -> 95 % interval of the paired difference `folds` minus `others`.

    Where the two have the very same scores, the difference is 0 and so is its interval: no further
    sample can tell them apart.

    Raises:
        ValueError: the two were not scored on the same samples.
    """
    if not are_comparable(folds, others):
        raise ValueError("scored on different samples: there is no paired difference")
    ours, theirs = influences(folds, protocol), influences(others, protocol)
    found = {}
    for name, (part, metric) in _rows(folds).items():
        keys = [key for key in folds if part in (None, FoldKey.parse(key).part)]
        gain = difference_interval(_parts(ours, part), _parts(theirs, part), metric)
        is_exact = gain.value == 0 and all(
            _has_equal_scores(folds[key], others[key], METRICS[metric].level) for key in keys
        )
        found[name] = replace(gain, low=0.0, high=0.0) if is_exact else gain
    return found


def are_comparable(folds: FoldPredictions, others: FoldPredictions) -> bool:
    """Whether both were scored on the same samples, in the same order."""
    return folds.keys() == others.keys() and all(
        folds[key].names == others[key].names for key in folds
    )


def mean_floor(folds: FoldPredictions, protocol: ProtocolConfig) -> dict[str, float]:
    """Metrics of a constant score for all samples and pixels, averaged like the metrics."""
    return mean_metrics(
        (FoldKey.parse(key).part, predictions.floor(protocol)) for key, predictions in folds.items()
    )


def parts_without_pixels(folds: FoldPredictions) -> set[str]:
    """Parts none of whose anomalous samples has a mask: they have no metric of pixels."""
    of_part: dict[str, list[Predictions]] = {}
    for key, predictions in folds.items():
        of_part.setdefault(FoldKey.parse(key).part, []).append(predictions)
    return {
        part
        for part, found in of_part.items()
        if any(one.is_unmasked.any() for one in found)
        and all((one.is_unmasked == one.is_anomalous).all() for one in found)
    }


def influences(folds: FoldPredictions, protocol: ProtocolConfig) -> dict[str, Influence]:
    """Part -> its metrics and the influence of each of its groups."""
    return pooled_folds(
        {key: fold_influence(predictions, protocol) for key, predictions in folds.items()}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldInfluence:
    """A fold's metrics, and the same with each of its groups left out once."""

    metrics: tuple[str, ...]
    """Names, in the order of the arrays' metric axis."""

    values: Float[np.ndarray, " m"]
    floors: Float[np.ndarray, " m"]
    groups: tuple[str, ...]
    is_anomalous: Bool[np.ndarray, " g"]
    """Whether the group has an anomalous sample."""

    is_normal: Bool[np.ndarray, " g"]
    """Whether the group has a normal sample; it may have both."""

    without: Float[np.ndarray, "g m"]


def fold_influence(predictions: Predictions, protocol: ProtocolConfig) -> FoldInfluence:
    """Score a fold with all of its groups, and again without each of them."""
    prepared = predictions.prepared(protocol)
    positions = np.arange(len(predictions.names))
    member = np.array(predictions.groups)
    groups = tuple(sorted(set(predictions.groups)))
    metrics = tuple(METRICS)
    return FoldInfluence(
        metrics=metrics,
        values=_as_row(prepared.at(positions), metrics),
        floors=_as_row(predictions.floor(protocol), metrics),
        groups=groups,
        is_anomalous=np.array(
            [predictions.is_anomalous[member == g].any() for g in groups], dtype=bool
        ),
        is_normal=np.array(
            [(~predictions.is_anomalous[member == g]).any() for g in groups], dtype=bool
        ),
        without=np.array([_as_row(prepared.at(positions[member != g]), metrics) for g in groups]),
    )


def pooled_folds(folds: Mapping[str, FoldInfluence]) -> dict[str, Influence]:
    """Part -> influence pooled over the part's folds; its metrics are means over the folds.

    An anomalous group also stands for its fold: if folds hold out one or two defects each, the
    variance between folds is the variance between defects. So the mean without a group weights its
    fold by the number of anomalous groups left in it. A group with samples of both kinds is left
    out whole, as one observation; it is listed among the normal groups too, with no influence
    there.
    """
    part_of = {key: FoldKey.parse(key).part for key in folds}
    return {
        part: _part_influence([fold for key, fold in folds.items() if part_of[key] == part])
        for part in sorted(set(part_of.values()))
    }


def _part_influence(folds: list[FoldInfluence]) -> Influence:
    values = np.array([fold.values for fold in folds])
    mean = _weighted(values, np.ones(len(folds)))
    shifts: dict[bool, list[Float[np.ndarray, " m"]]] = {True: [], False: []}
    names: dict[bool, list[str]] = {True: [], False: []}
    for number, fold in enumerate(folds):
        for place, group in enumerate(fold.groups):
            is_anomalous = bool(fold.is_anomalous[place])
            alike = int((fold.is_anomalous if is_anomalous else fold.is_normal).sum())
            rows, weights = values.copy(), np.ones(len(folds))
            rows[number] = fold.without[place]
            share = 1 / max(alike, 2)
            if is_anomalous:
                weights[number] = 1 - 1 / alike
                share = 1 / (alike * len(folds))
            shifts[is_anomalous].append((mean - _weighted(rows, weights)) * (1 - share))
            names[is_anomalous].append(group)
            if is_anomalous and fold.is_normal[place]:
                shifts[False].append(np.zeros(len(mean)))
                names[False].append(group)
    return Influence(
        metrics=folds[0].metrics,
        values=mean,
        floors=_weighted(np.array([fold.floors for fold in folds]), np.ones(len(folds))),
        anomalous=tuple(names[True]),
        normal=tuple(names[False]),
        of_anomalous=np.array(shifts[True]).reshape(-1, values.shape[1]),
        of_normal=np.array(shifts[False]).reshape(-1, values.shape[1]),
    )


def _weighted(
    rows: Float[np.ndarray, "k m"], weights: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " m"]:
    """Weighted mean over the folds in which a metric is defined; NaN if it is defined in none."""
    weight = np.where(np.isnan(rows), 0.0, weights[:, None])
    total = weight.sum(axis=0)
    sums = (np.nan_to_num(rows) * weight).sum(axis=0)
    means: Float[np.ndarray, " m"] = np.full(len(total), np.nan)
    np.divide(sums, total, out=means, where=total > 0)
    return means


def _has_equal_scores(one: Predictions, other: Predictions, level: Level) -> bool:
    if level == "pixel":
        return np.array_equal(one.maps, other.maps)
    return np.array_equal(one.image_scores, other.image_scores)


def _as_row(values: Mapping[str, float], metrics: Sequence[str]) -> Float[np.ndarray, " m"]:
    return np.array([values[name] for name in metrics])


def _rows(folds: FoldPredictions) -> dict[str, tuple[str | None, str]]:
    """Name (`LC/pixel_aupro`, `pixel_aupro`) -> part (None: mean over parts) and metric.

    Metrics of pixels are absent where no anomalous sample has a mask.
    """
    parts, without = sorted({FoldKey.parse(key).part for key in folds}), parts_without_pixels(folds)
    rows: dict[str, tuple[str | None, str]] = {
        f"{part}/{name}": (part, name)
        for part in parts
        for name, metric in METRICS.items()
        if metric.level == "image" or part not in without
    }
    has_pixels = not without or without != set(parts)
    means = [n for n, metric in METRICS.items() if metric.level == "image" or has_pixels]
    return {**rows, **{name: (None, name) for name in means}}


def _parts(found: Influences, part: str | None) -> list[Influence]:
    return list(found.values()) if part is None else [found[part]]
