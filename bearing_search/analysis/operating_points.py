"""Operating points: rates of defects found and of false alarms at a threshold.

Thresholds come from the held-out folds of train, never from the samples being counted. A group
(a physical part) is flagged if any of its views is. Intervals are exact.

Axis letters: n samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.analysis.comparison import FoldPredictions
from bearing_search.analysis.intervals import Interval, rate_interval
from bearing_search.data.fold_key import FoldKey
from bearing_search.evaluation.predictions import Predictions

FIND_ALL = "finds every held-out defect of train"
BEST_F1 = "best F1 on the held-out folds"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Detection and false-alarm rate of one threshold on the groups of one part."""

    part: str
    rule: str
    """How the threshold was chosen, for display."""

    threshold: float
    """Image score at and above which a sample is flagged."""

    found: Interval
    """Fraction of the anomalous groups that are flagged."""

    false_alarms: Interval
    """Fraction of the normal groups that are flagged."""


def operating_points(
    validation: FoldPredictions, test: FoldPredictions
) -> tuple[OperatingPoint, ...]:
    """Operating points on test at two thresholds per part; none without held-out defects."""
    return tuple(
        OperatingPoint(
            part=part,
            rule=rule,
            threshold=threshold,
            found=_flagged(predictions, threshold, is_anomalous=True),
            false_alarms=_flagged(predictions, threshold, is_anomalous=False),
        )
        for key, predictions in test.items()
        for part in [FoldKey.parse(key).part]
        for rule, threshold in _thresholds(
            [fold for name, fold in validation.items() if FoldKey.parse(name).part == part]
        )
    )


def group_counts(folds: FoldPredictions) -> dict[str, tuple[int, int]]:
    """Part -> number of normal and of anomalous groups that were scored."""
    counts: dict[str, tuple[int, int]] = {}
    for key, predictions in folds.items():
        part = FoldKey.parse(key).part
        anomalous = _groups(predictions, is_anomalous=True)
        normal = _groups(predictions, is_anomalous=False)
        before = counts.get(part, (0, 0))
        counts[part] = (before[0] + len(normal), before[1] + len(anomalous))
    return counts


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


def _flagged(predictions: Predictions, threshold: float, *, is_anomalous: bool) -> Interval:
    groups = _groups(predictions, is_anomalous=is_anomalous)
    flagged = set(np.array(predictions.groups)[predictions.image_scores >= threshold].tolist())
    return rate_interval(len(groups & flagged), len(groups))


def _groups(predictions: Predictions, *, is_anomalous: bool) -> set[str]:
    names = np.array(predictions.groups)
    anomalous = set(names[predictions.is_anomalous].tolist())
    return anomalous if is_anomalous else set(names.tolist()) - anomalous
