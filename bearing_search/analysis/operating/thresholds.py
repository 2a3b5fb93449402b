"""Thresholds for a final model from the folds of a search, whose models have other scales.

Scores of another model are another unit: PaDiM's shrink as it sees more normal samples. So scores
are standardised by the normal samples that their own model has not seen: in a fold the held-out
ones, for the final model those set aside for it. A threshold in that unit belongs to every model.

Axis letters: n samples.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.data.split import FEWEST_TO_CALIBRATE

ALPHA = 0.05
"""Share of normal samples that the promised threshold may flag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldScores:
    """Image scores that one model gives to samples which it has not seen."""

    scores: Float[np.ndarray, " n"]
    is_anomalous: Bool[np.ndarray, " n"]
    groups: tuple[str, ...]
    """The physical thing of each sample, which other folds may name as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledScores:
    """Scores of all folds in one unit."""

    scores: Float[np.ndarray, " n"]
    is_anomalous: Bool[np.ndarray, " n"]
    groups: tuple[str, ...]
    centre: float
    """Zero of the unit, as a score of the model that thresholds are for."""

    scale: float
    """One of the unit, in scores of that model."""


def pooled_scores(
    folds: Sequence[FoldScores], calibration: FoldScores | None = None
) -> PooledScores | None:
    """The scores of all folds in the unit of the calibration samples; None if no unit is known.

    A normal sample is standardised by the others of its model, as a new one would be.

    Args:
        folds: held-out samples of each fold.
        calibration: normal samples that the final model has not seen. They join the pool. None: the
            scores are pooled as they are.
    """
    if calibration is None:
        return _pooled(folds, [fold.scores for fold in folds], centre=0.0, scale=1.0)
    every = (*folds, calibration)
    if any((~fold.is_anomalous).sum() < FEWEST_TO_CALIBRATE for fold in every):
        return None
    centre, scale = float(calibration.scores.mean()), float(calibration.scores.std(ddof=1))
    if scale == 0:
        return None
    return _pooled(every, [_standardised(fold) for fold in every], centre=centre, scale=scale)


def standardised_scores(folds: Sequence[FoldScores]) -> PooledScores | None:
    """The scores of all folds in deviations of their models' unseen normal scores from their mean.

    The unit of `pooled_scores` before it is that of any final model: a threshold `z` is the score
    `mean + z * deviation` of the normal samples that the model has not seen. None: a fold holds too
    few of them, or they do not scatter.
    """
    if any((~fold.is_anomalous).sum() < FEWEST_TO_CALIBRATE for fold in folds):
        return None
    scores = [_standardised(fold) for fold in folds]
    if not all(np.isfinite(one).all() for one in scores):
        return None
    return _pooled(folds, scores, centre=0.0, scale=1.0)


def _pooled(
    folds: Sequence[FoldScores],
    scores: Sequence[Float[np.ndarray, " _"]],
    *,
    centre: float,
    scale: float,
) -> PooledScores:
    return PooledScores(
        scores=np.concatenate(scores),
        is_anomalous=np.concatenate([fold.is_anomalous for fold in folds]),
        groups=tuple(group for fold in folds for group in fold.groups),
        centre=centre,
        scale=scale,
    )


def promised_threshold(pool: PooledScores, alpha: float = ALPHA) -> float | None:
    """The lowest threshold that flags at most `alpha` of all normal samples to come, on average.

    Samples of one group resemble each other, so each group counts once, by its highest normal
    score: a new group is flagged anywhere with a probability of at most `alpha`. None if there are
    too few groups with normal samples for that: 1 / alpha - 1 are needed.
    """
    names = np.array(pool.groups)[~pool.is_anomalous]
    scores = pool.scores[~pool.is_anomalous]
    normal = np.sort([scores[names == group].max() for group in np.unique(names)])
    rank = math.ceil((len(normal) + 1) * (1 - alpha) - 1e-9)
    if rank > len(normal):
        return None
    kept = normal[rank - 1]
    return threshold_above(pool, float(kept))


def threshold_below(pool: PooledScores, score: float) -> float:
    """The threshold halfway between a pooled score, which it flags, and the next lower one."""
    below = pool.scores[pool.scores < score]
    return _as_score(pool, _halfway(float(below.max()) if len(below) else -math.inf, score))


def threshold_above(pool: PooledScores, score: float) -> float:
    """The threshold halfway between a pooled score, which it does not flag, and the next higher."""
    above = pool.scores[pool.scores > score]
    return _as_score(pool, _halfway(score, float(above.min()) if len(above) else math.inf))


def _halfway(low: float, high: float) -> float:
    """The middle; next to the one bound if the other is infinite, never on either."""
    if math.isinf(high):
        return float(np.nextafter(low, math.inf))
    if math.isinf(low):
        return float(np.nextafter(high, -math.inf))
    return (low + high) / 2


def _as_score(pool: PooledScores, value: float) -> float:
    return pool.centre + pool.scale * value


def _standardised(fold: FoldScores) -> Float[np.ndarray, " n"]:
    normal = fold.scores[~fold.is_anomalous].astype(float)
    count, found = len(normal), np.empty(len(fold.scores))
    found[fold.is_anomalous] = _over(
        fold.scores[fold.is_anomalous] - normal.mean(), normal.std(ddof=1)
    )
    total = normal.sum()
    means = (total - normal) / (count - 1)  # of the others
    squares = ((normal - normal.mean()) ** 2).sum() - (normal - normal.mean()) ** 2 * count / (
        count - 1
    )
    deviations = np.sqrt(np.maximum(squares, 0) / (count - 2))
    found[~fold.is_anomalous] = _over(normal - means, deviations)
    return found


def _over(
    shifts: Float[np.ndarray, " n"], deviations: Float[np.ndarray, " n"] | float
) -> Float[np.ndarray, " n"]:
    """Quotient; where nothing scatters, 0 for no shift and infinite for any."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(shifts / deviations, nan=0.0, posinf=np.inf, neginf=-np.inf)
