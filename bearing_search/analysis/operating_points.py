"""Operating points: rates of defects found and of false alarms at a threshold.

Thresholds come from the held-out folds of train, never from the samples being counted. Rates are of
samples; verdicts on physical things (groups) are counted apart.

Axis letters: n samples, g groups.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.analysis.comparison import FoldPredictions
from bearing_search.analysis.intervals import Interval, rate_interval
from bearing_search.analysis.rates import grouped_rate
from bearing_search.data.fold_key import FoldKey
from bearing_search.evaluation.predictions import Predictions

FIND_ALL = "finds every held-out defect of train"
BEST_F1 = "best F1 on the held-out folds"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Detection and false-alarm rate of one threshold on one part."""

    part: str
    rule: str
    """How the threshold was chosen, for display."""

    threshold: float
    """Image score at and above which a sample is flagged."""

    found: Interval
    """Fraction of the anomalous samples (or groups) that are flagged."""

    false_alarms: Interval
    """Fraction of the normal samples (or groups) that are flagged."""


def operating_points(
    validation: FoldPredictions, test: FoldPredictions
) -> tuple[OperatingPoint, ...]:
    """Rates of test samples at two thresholds per part; none without held-out defects."""
    return tuple(
        OperatingPoint(
            part=part,
            rule=rule,
            threshold=threshold,
            found=flagged_rate(predictions, threshold, predictions.is_anomalous),
            false_alarms=flagged_rate(predictions, threshold, ~predictions.is_anomalous),
        )
        for key, predictions in test.items()
        for part in [FoldKey.parse(key).part]
        for rule, threshold in _thresholds(
            [fold for name, fold in validation.items() if FoldKey.parse(name).part == part]
        )
    )


def group_verdicts(
    points: Sequence[OperatingPoint], test: FoldPredictions
) -> tuple[OperatingPoint, ...]:
    """The same thresholds with rates of groups; none of a part whose groups are single samples.

    A group is flagged if any of its samples is, and counts as anomalous if any of them is.
    """
    found: list[OperatingPoint] = []
    for key, predictions in test.items():
        part, names = FoldKey.parse(key).part, np.array(predictions.groups)
        groups = np.unique(names)
        if len(groups) == len(names):
            continue
        is_anomalous = np.array([predictions.is_anomalous[names == g].any() for g in groups])
        highest = np.array([predictions.image_scores[names == g].max() for g in groups])
        found += [
            replace(
                point,
                found=_rate(highest[is_anomalous] >= point.threshold),
                false_alarms=_rate(highest[~is_anomalous] >= point.threshold),
            )
            for point in points
            if point.part == part
        ]
    return tuple(found)


def group_counts(folds: FoldPredictions) -> dict[str, tuple[int, int]]:
    """Part -> number of groups with a normal and with an anomalous sample that were scored.

    A group of both kinds counts for both.
    """
    counts: dict[str, tuple[int, int]] = {}
    for key, predictions in folds.items():
        part, names = FoldKey.parse(key).part, np.array(predictions.groups)
        normal, anomalous = counts.get(part, (0, 0))
        counts[part] = (
            normal + len(np.unique(names[~predictions.is_anomalous])),
            anomalous + len(np.unique(names[predictions.is_anomalous])),
        )
    return counts


def flagged_rate(
    predictions: Predictions, threshold: float, counted: Bool[np.ndarray, " n"]
) -> Interval:
    """Share of the counted samples that score at or above the threshold, with its interval."""
    names = np.array(predictions.groups)[counted].tolist()
    return grouped_rate(predictions.image_scores[counted] >= threshold, names)


def best_f1_threshold(
    scores: Float[np.ndarray, " n"], is_anomalous: Bool[np.ndarray, " n"]
) -> float:
    """The threshold with the best F1; the highest one if several are equal."""
    candidates = np.unique(scores)[::-1]
    flagged = scores[None] >= candidates[:, None]
    hits = (flagged & is_anomalous).sum(axis=1)
    f1 = 2 * hits / (flagged.sum(axis=1) + is_anomalous.sum())
    return float(candidates[f1.argmax()])


def _thresholds(folds: list[Predictions]) -> Iterator[tuple[str, float]]:
    if not folds:
        return
    scores = np.concatenate([fold.image_scores for fold in folds])
    labels = np.concatenate([fold.is_anomalous for fold in folds])
    if labels.any():
        yield FIND_ALL, float(scores[labels].min())
        yield BEST_F1, best_f1_threshold(scores, labels)


def _rate(is_hit: Bool[np.ndarray, " g"]) -> Interval:
    return rate_interval(int(is_hit.sum()), len(is_hit))
