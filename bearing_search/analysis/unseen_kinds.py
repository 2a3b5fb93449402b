"""Scores of kinds of defect that a model has not learned from, beside those of one that has."""

import math
from dataclasses import dataclass

import numpy as np

from bearing_search.analysis.comparison import FoldPredictions, score_intervals
from bearing_search.analysis.intervals import LEVEL, Interval
from bearing_search.analysis.operating.rates import grouped_rate
from bearing_search.analysis.subsets import with_normals
from bearing_search.config import ProtocolConfig
from bearing_search.data.fold_key import FoldKey
from bearing_search.evaluation.predictions import Predictions

_UNKNOWN = Interval(value=math.nan, low=math.nan, high=math.nan, level=LEVEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenScores:
    """Scores of one kind of defect on held-out samples of train."""

    samples: int
    found: Interval
    """Share of them above every normal sample that was held out with them: no false alarm."""

    image_auroc: Interval
    pixel_ap: Interval | None
    """None if no sample has a mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenKind:
    """One kind of defect, scored by models that have learned from it and by one that has not."""

    part: str
    kind: str
    unseen: SeenScores
    seen: SeenScores
    """On the folds of the search, whose models learned from other samples of the kind."""


def unseen_kinds(
    unseen: FoldPredictions, seen: FoldPredictions, protocol: ProtocolConfig
) -> tuple[UnseenKind, ...]:
    """A row for each part and kind that was left out of a training.

    Args:
        unseen: predictions on one kind each and on held-out normal samples.
        seen: predictions on the folds of the search.
        protocol: how they are scored.
    """
    rows = []
    for key, predictions in unseen.items():
        part, kinds = FoldKey.parse(key).part, np.array(predictions.defects, dtype=str)
        for kind in sorted(set(kinds[predictions.is_anomalous].tolist())):
            own = {k: _of_kind(p, kind) for k, p in seen.items() if FoldKey.parse(k).part == part}
            rows.append(
                UnseenKind(
                    part=part,
                    kind=kind,
                    unseen=_kind_scores({key: _of_kind(predictions, kind)}, part, protocol),
                    seen=_kind_scores(own, part, protocol),
                )
            )
    return tuple(sorted(rows, key=lambda row: (row.part, row.kind)))


def _kind_scores(folds: FoldPredictions, part: str, protocol: ProtocolConfig) -> SeenScores:
    folds = {key: fold for key, fold in folds.items() if fold.is_anomalous.any()}
    metrics = score_intervals(folds, protocol)
    hits, groups = [np.zeros(0, dtype=bool)], []
    for fold in folds.values():
        normal = fold.image_scores[~fold.is_anomalous]
        hits.append(fold.image_scores[fold.is_anomalous] > normal.max(initial=-np.inf))
        groups += np.array(fold.groups)[fold.is_anomalous].tolist()
    return SeenScores(
        samples=len(groups),
        found=grouped_rate(np.concatenate(hits), groups),
        image_auroc=metrics.get(f"{part}/image_auroc", _UNKNOWN),
        pixel_ap=metrics.get(f"{part}/pixel_ap", None if folds else _UNKNOWN),
    )


def _of_kind(predictions: Predictions, kind: str) -> Predictions:
    kinds = np.array(predictions.defects, dtype=str)
    return with_normals(predictions, predictions.is_anomalous & (kinds == kind))
