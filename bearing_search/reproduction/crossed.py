"""Values, intervals and differences in a crossed design: all runs see the same test samples.

Every seed of every encoder and detector is scored on the same samples. So a value is the mean over
seeds, a group's influence on it is the mean of its influences on each seed's value, and the
variance between seeds is an additional component. A difference uses the variance of the paired
differences over seeds: both encoders' detectors saw the same initial weights and batches.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bearing_search.analysis.comparison import influences
from bearing_search.analysis.intervals import (
    LEVEL,
    Influence,
    Interval,
    difference_interval,
    metric_interval,
)
from bearing_search.config import ProtocolConfig
from bearing_search.data.fold_key import FoldKey
from bearing_search.evaluation.predictions import Predictions
from bearing_search.reproduction.published import (
    ENCODER_STATES,
    EVEN_THRESHOLDS_METRIC,
    MEAN,
    EncoderState,
)

_Cell = tuple[str, EncoderState, str]
"""Detector, encoder state, part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One part of one trained model, scored on test."""

    detector: str
    encoder: EncoderState
    part: str
    seed: int
    file: Path
    """The stored predictions, scored.npz."""


class Crossed:
    """The metrics of all runs, and the influence of each group of samples on them."""

    def __init__(self, parts: Sequence[str]) -> None:
        self._parts = tuple(parts)
        self._influence: dict[_Cell, dict[int, Influence]] = {}
        self._even: dict[_Cell, dict[int, float]] = {}

    def add(self, run: Run, scored: Predictions, protocol: ProtocolConfig) -> None:
        """Add one run."""
        cell = (run.detector, run.encoder, run.part)
        found = influences({str(FoldKey(run.part, "all")): scored}, protocol)[run.part]
        even = scored.metrics(protocol)[EVEN_THRESHOLDS_METRIC]
        self._influence.setdefault(cell, {})[run.seed] = found
        self._even.setdefault(cell, {})[run.seed] = even

    def value(self, detector: str, encoder: EncoderState, part: str, metric: str) -> Interval:
        """Mean of a metric over seeds, with its interval; NaN if a part has no run."""
        cells = self._cells(detector, encoder, part)
        seeds = self._seeds(cells)
        if not seeds:
            return _point(math.nan)
        if metric == EVEN_THRESHOLDS_METRIC:
            return _point(self._even_mean(cells, seeds))
        by_seed = [self._mean_over_parts(cells, seed, metric) for seed in seeds]
        averaged = [_averaged([self._influence[cell][seed] for seed in seeds]) for cell in cells]
        return metric_interval(
            averaged,
            metric,
            seed_variance=_variance_of_mean(by_seed),
            seed_freedom=max(1, len(seeds) - 1),
        )

    def difference(self, detector: str, part: str, metric: str) -> Interval:
        """EN_train minus EN_pre, paired over the seeds that have both."""
        before, after = (self._cells(detector, encoder, part) for encoder in ENCODER_STATES)
        seeds = self._seeds([*before, *after])
        if not seeds:
            return _point(math.nan)
        if metric == EVEN_THRESHOLDS_METRIC:
            return _point(self._even_mean(after, seeds) - self._even_mean(before, seeds))
        by_seed = [
            self._mean_over_parts(after, seed, metric) - self._mean_over_parts(before, seed, metric)
            for seed in seeds
        ]
        ours, theirs = (
            [_averaged([self._influence[cell][seed] for seed in seeds]) for cell in cells]
            for cells in (after, before)
        )
        return difference_interval(
            ours,
            theirs,
            metric,
            seed_variance=_variance_of_mean(by_seed),
            seed_freedom=max(1, len(seeds) - 1),
        )

    def _cells(self, detector: str, encoder: EncoderState, part: str) -> list[_Cell]:
        parts = self._parts if part == MEAN else (part,)
        return [(detector, encoder, one) for one in parts]

    def _seeds(self, cells: Sequence[_Cell]) -> list[int]:
        """The seeds that all cells have."""
        return sorted(set.intersection(*(set(self._influence.get(cell, {})) for cell in cells)))

    def _mean_over_parts(self, cells: Sequence[_Cell], seed: int, metric: str) -> float:
        values = np.array([self._influence[cell][seed].value_of(metric) for cell in cells])
        defined = values[~np.isnan(values)]
        return float(defined.mean()) if len(defined) else math.nan

    def _even_mean(self, cells: Sequence[_Cell], seeds: Sequence[int]) -> float:
        values = np.array([self._even[cell][seed] for cell in cells for seed in seeds])
        defined = values[~np.isnan(values)]
        return float(defined.mean()) if len(defined) else math.nan


def _averaged(of_seeds: Sequence[Influence]) -> Influence:
    """The influence on the mean over seeds, all of which saw the same groups."""
    return Influence(
        metrics=of_seeds[0].metrics,
        values=np.mean([one.values for one in of_seeds], axis=0),
        floors=of_seeds[0].floors,
        anomalous=of_seeds[0].anomalous,
        normal=of_seeds[0].normal,
        of_anomalous=np.mean([one.of_anomalous for one in of_seeds], axis=0),
        of_normal=np.mean([one.of_normal for one in of_seeds], axis=0),
    )


def _variance_of_mean(by_seed: Sequence[float]) -> float:
    """Variance of the mean over seeds; 0 for a single seed, which gives no estimate."""
    return float(np.var(by_seed, ddof=1) / len(by_seed)) if len(by_seed) > 1 else 0.0


def _point(value: float) -> Interval:
    return Interval(value=value, low=math.nan, high=math.nan, level=LEVEL)
