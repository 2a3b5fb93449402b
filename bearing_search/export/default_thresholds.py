"""Thresholds that an exported detector gets if nobody chose others. No torch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bearing_search.analysis.operating.operating_points import BEST_F1, PROMISED, best_f1_threshold
from bearing_search.analysis.operating.thresholds import (
    FoldScores,
    pooled_scores,
    promised_threshold,
    threshold_below,
)
from bearing_search.errors import ConfigError
from bearing_search.runtime.verdict import Thresholds

UNCALIBRATED = ", in the unit of the folds' models: too few normal samples to calibrate"
ABOVE_ALL = "above every normal sample seen; promises nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenThresholds:
    """Thresholds that were chosen on the scores of the folds' models."""

    ok: float
    ng: float
    is_standardised: bool
    """Whether they are in deviations of unseen normal scores from their mean; else scores."""

    rule: str

    def of_model(self, calibration: FoldScores | None) -> Thresholds:
        """The same as scores of a model.

        Args:
            calibration: its scores of normal samples that it has not seen; None: there are none.

        Raises:
            ConfigError: they are standardised, and the model's unit is not known.
        """
        if not self.is_standardised:
            return Thresholds(ok=self.ok, ng=self.ng, rule=self.rule)
        scores = None if calibration is None else calibration.scores
        scale = 0.0 if scores is None or len(scores) < 2 else float(scores.std(ddof=1))
        if scores is None or scale == 0:
            raise ConfigError(
                "threshold.json has standardised thresholds, and there are no normal samples set "
                "aside that scatter, to turn them into scores. Remove threshold.json, or name "
                "thresholds in Sweep.export(thresholds=...)"
            )
        mean = float(scores.mean())
        return Thresholds(ok=mean + scale * self.ok, ng=mean + scale * self.ng, rule=self.rule)


def default_thresholds(folds: Sequence[FoldScores], calibration: FoldScores | None) -> Thresholds:
    """One threshold: the promised one where there are enough normal samples, else the best F1.

    Args:
        folds: held-out scores of the search.
        calibration: scores that the exported model gives to normal samples set aside for it; None:
            there are too few.
    """
    pool = None if calibration is None else pooled_scores(folds, calibration)
    if pool is not None and (limit := promised_threshold(pool)) is not None:
        return _single(limit, PROMISED)
    suffix = "" if pool is not None else UNCALIBRATED
    pool = pool or pooled_scores(folds)
    assert pool is not None  # without calibration there always is one
    labels = pool.is_anomalous
    if labels.any() and not labels.all():
        found = threshold_below(pool, best_f1_threshold(pool.scores, labels))
        if math.isfinite(found):
            return _single(found, BEST_F1 + suffix)
    highest = pool.centre + pool.scale * float(pool.scores[~labels].max())
    return _single(math.nextafter(highest, math.inf), ABOVE_ALL + suffix)


def _single(value: float, rule: str) -> Thresholds:
    return Thresholds(ng=value, ok=value, rule=rule)
