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
from bearing_search.analysis.operating.rates import grouped_rate
from bearing_search.analysis.operating.thresholds import (
    ALPHA,
    FoldScores,
    pooled_scores,
    promised_threshold,
    threshold_below,
)
from bearing_search.data.fold_key import FoldKey
from bearing_search.evaluation.predictions import Predictions

FIND_ALL = "finds every held-out defect of train"
BEST_F1 = "best F1 on the held-out folds"
PROMISED = f"at most {ALPHA:.0%} false alarms promised"
UNCALIBRATED = ", not calibrated: too few normal samples"


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
    validation: FoldPredictions,
    test: FoldPredictions,
    calibration: FoldPredictions | None = None,
) -> tuple[OperatingPoint, ...]:
    """Rates of test samples at up to three thresholds per part.

    Args:
        validation: predictions on the held-out folds.
        test: predictions of the final model.
        calibration: predictions of the final model on normal samples which it has not seen. None,
            or too few of them for a part: the folds' thresholds are taken as they are.
    """
    points = []
    for key, predictions in test.items():
        part = FoldKey.parse(key).part
        folds = [
            fold_scores(fold)
            for name, fold in validation.items()
            if FoldKey.parse(name).part == part
        ]
        own = None if calibration is None else fold_scores(calibration[key])
        points += [
            OperatingPoint(
                part=part,
                rule=rule,
                threshold=threshold,
                found=flagged_rate(predictions, threshold, predictions.is_anomalous),
                false_alarms=flagged_rate(predictions, threshold, ~predictions.is_anomalous),
            )
            for rule, threshold in _thresholds(folds, own)
        ]
    return tuple(points)


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
    """The lowest score that the threshold with the best F1 flags; the highest if several are."""
    candidates = np.unique(scores)[::-1]
    flagged = scores[None] >= candidates[:, None]
    hits = (flagged & is_anomalous).sum(axis=1)
    half_f1 = hits / (flagged.sum(axis=1) + is_anomalous.sum())
    return float(candidates[half_f1.argmax()])


def fold_scores(predictions: Predictions) -> FoldScores:
    """The image scores of predictions, as thresholds are made of them."""
    return FoldScores(
        scores=predictions.image_scores,
        is_anomalous=predictions.is_anomalous,
        groups=predictions.groups,
    )


def _thresholds(
    folds: Sequence[FoldScores], calibration: FoldScores | None
) -> Iterator[tuple[str, float]]:
    if not folds:
        return
    pool = None if calibration is None else pooled_scores(folds, calibration)
    is_calibrated = pool is not None
    pool = pool or pooled_scores(folds)
    assert pool is not None
    suffix = "" if is_calibrated or calibration is None else UNCALIBRATED
    labels = pool.is_anomalous
    if is_calibrated and (limit := promised_threshold(pool)) is not None:
        yield PROMISED, limit
    if labels.any():
        yield FIND_ALL + suffix, threshold_below(pool, float(pool.scores[labels].min()))
        yield BEST_F1 + suffix, threshold_below(pool, best_f1_threshold(pool.scores, labels))


def _rate(is_hit: Bool[np.ndarray, " g"]) -> Interval:
    return rate_interval(int(is_hit.sum()), len(is_hit))
