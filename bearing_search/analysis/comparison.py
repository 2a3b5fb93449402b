"""How sure a score is, and whether two trials differ: each group left out once, paired.

Axis letters: n samples, g groups of a fold, m metrics, k folds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.analysis.intervals import (
    Influence,
    Interval,
    difference_interval,
    metric_interval,
)
from bearing_search.config import ProtocolConfig
from bearing_search.evaluation.metrics import METRIC_NAMES, trivial_floor
from bearing_search.evaluation.predictions import Predictions, mean_metrics

FoldPredictions = Mapping[str, Predictions]
"""Key of a fold (`LC/fold0`) -> what its evaluation left. The part is what stands before `/`."""

Influences = Mapping[str, Influence]
"""Part -> its metrics and what each of its groups adds to their uncertainty."""


def score_intervals(folds: FoldPredictions, protocol: ProtocolConfig) -> dict[str, Interval]:
    """95 % interval of every mean metric, by name (`pixel_aupro`, `LC/pixel_aupro`)."""
    found = influences(folds, protocol)
    return {
        name: metric_interval(_parts(found, name), _metric(name)) for name in _metric_names(found)
    }


def difference_intervals(
    folds: FoldPredictions, others: FoldPredictions, protocol: ProtocolConfig
) -> dict[str, Interval]:
    """95 % interval of `folds` minus `others`, paired on the same samples.

    Raises:
        ValueError: the two were not scored on the same samples.
    """
    if not are_comparable(folds, others):
        raise ValueError("scored on different samples: a paired difference does not exist")
    ours, theirs = influences(folds, protocol), influences(others, protocol)
    return {
        name: difference_interval(_parts(ours, name), _parts(theirs, name), _metric(name))
        for name in _metric_names(ours)
    }


def are_comparable(folds: FoldPredictions, others: FoldPredictions) -> bool:
    """Whether both were scored on the same samples, in the same order."""
    return folds.keys() == others.keys() and all(
        folds[key].names == others[key].names for key in folds
    )


def mean_floor(folds: FoldPredictions, protocol: ProtocolConfig) -> dict[str, float]:
    """What one and the same score for everything would reach, averaged as the metrics are."""
    return mean_metrics(
        (_part(key), _floor(predictions, protocol)) for key, predictions in folds.items()
    )


def influences(folds: FoldPredictions, protocol: ProtocolConfig) -> dict[str, Influence]:
    """The metrics of every part, and what each group adds to their uncertainty."""
    return pooled_folds(
        {key: fold_influence(predictions, protocol) for key, predictions in folds.items()}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldInfluence:
    """A fold's metrics, with each of its groups left out once."""

    values: Float[np.ndarray, " m"]
    """In the order of METRIC_NAMES."""

    floors: Float[np.ndarray, " m"]
    groups: tuple[str, ...]
    is_anomalous: Bool[np.ndarray, " g"]
    """Whether any sample of the group is."""

    without: Float[np.ndarray, "g m"]


def fold_influence(predictions: Predictions, protocol: ProtocolConfig) -> FoldInfluence:
    """Score a fold as it is, and again without each of its groups."""
    prepared = predictions.prepared(protocol)
    positions = np.arange(len(predictions.names))
    member = np.array(predictions.groups)
    groups = tuple(sorted(set(predictions.groups)))
    return FoldInfluence(
        values=_as_row(prepared.at(positions)),
        floors=_as_row(_floor(predictions, protocol)),
        groups=groups,
        is_anomalous=np.array(
            [predictions.is_anomalous[member == g].any() for g in groups], dtype=bool
        ),
        without=np.array([_as_row(prepared.at(positions[member != g])) for g in groups]),
    )


def pooled_folds(folds: Mapping[str, FoldInfluence]) -> dict[str, Influence]:
    """The folds of every part as one: the part's metrics are means over its folds.

    An anomalous group also stands for its fold: where folds hold out one or two defects each, the
    scatter between folds is the scatter between defects. So the mean without a group weighs its
    fold by the anomalous groups that are left in it.
    """
    parts = sorted({_part(key) for key in folds})
    return {
        part: _part_influence([u for key, u in folds.items() if _part(key) == part])
        for part in parts
    }


def _part_influence(folds: list[FoldInfluence]) -> Influence:
    values = np.array([fold.values for fold in folds])
    mean = _weighted(values, np.ones(len(folds)))
    shifts: dict[bool, list[Float[np.ndarray, " m"]]] = {True: [], False: []}
    names: dict[bool, list[str]] = {True: [], False: []}
    for number, fold in enumerate(folds):
        for group, is_anomalous, without in zip(
            fold.groups, fold.is_anomalous, fold.without, strict=True
        ):
            alike = int((fold.is_anomalous == is_anomalous).sum())
            rows, weights = values.copy(), np.ones(len(folds))
            rows[number] = without
            share = 1 / max(alike, 2)
            if is_anomalous:
                weights[number] = 1 - 1 / alike
                share = 1 / (alike * len(folds))
            shifts[bool(is_anomalous)].append((mean - _weighted(rows, weights)) * (1 - share))
            names[bool(is_anomalous)].append(group)
    return Influence(
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
    """Mean over the folds in which a metric is defined; NaN where it is in none."""
    weight = np.where(np.isnan(rows), 0.0, weights[:, None])
    total = weight.sum(axis=0)
    sums = (np.nan_to_num(rows) * weight).sum(axis=0)
    means: Float[np.ndarray, " m"] = np.full(len(total), np.nan)
    np.divide(sums, total, out=means, where=total > 0)
    return means


def _floor(predictions: Predictions, protocol: ProtocolConfig) -> dict[str, float]:
    return trivial_floor(
        predictions.masks,
        predictions.is_anomalous,
        fpr_limit=protocol.fpr_limit,
        missed_regions=predictions.missed_regions,
    )


def _as_row(metrics: Mapping[str, float]) -> Float[np.ndarray, " m"]:
    return np.array([metrics[name] for name in METRIC_NAMES])


def _metric_names(found: Influences) -> list[str]:
    return [*(f"{part}/{name}" for part in found for name in METRIC_NAMES), *METRIC_NAMES]


def _parts(found: Influences, name: str) -> list[Influence]:
    part = name.rpartition("/")[0]
    return [found[part]] if part else list(found.values())


def _metric(name: str) -> int:
    return METRIC_NAMES.index(name.rpartition("/")[2])


def _part(key: str) -> str:
    return key.split("/")[0]
