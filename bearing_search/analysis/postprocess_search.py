"""Tunes post-processing after training, on the stored distances.

Nested selection: for each fold in turn, a setting is chosen on the other folds and judged on this
one, so the reported gain is not biased by the choice. The setting is used only if the interval of
that gain lies above 0.

Axis letters: k settings, u folds.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bearing_search.analysis.comparison import (
    FoldPredictions,
    fold_influence,
    parts_without_pixels,
    pooled_folds,
)
from bearing_search.analysis.intervals import Interval, difference_interval
from bearing_search.analysis.postprocess_settings import (
    PostprocessSetting,
    map_settings,
    present_setting,
    rendered,
    score_settings,
)
from bearing_search.config import ProtocolConfig
from bearing_search.data.fold_key import FoldKey
from bearing_search.evaluation.mean_metrics import mean_metrics
from bearing_search.evaluation.metrics import aupro, auroc
from bearing_search.evaluation.predictions import Predictions

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedSelection:
    """Result of a nested selection among settings."""

    metric: str
    """Metric by which settings were chosen."""

    tried: int
    before: PostprocessSetting
    best: PostprocessSetting
    """Setting chosen on all folds."""

    gain: Interval
    """Gain on each fold of the setting chosen without it, averaged."""

    @property
    def is_shown(self) -> bool:
        """Whether the gain is significant."""
        return self.best != self.before and self.gain.low > 0

    @property
    def applied(self) -> PostprocessSetting:
        """The setting to use."""
        return self.best if self.is_shown else self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocessTuning:
    """Both choices for one trial: how to make maps, then how to reduce a map to an image score."""

    maps: NestedSelection
    image_score: NestedSelection

    @property
    def applied(self) -> PostprocessSetting:
        """The setting that `evaluate` uses."""
        return self.image_score.applied


def tune_postprocess(
    folds: FoldPredictions,
    protocol: ProtocolConfig,
    *,
    on_progress: Progress = lambda done, total: None,
    workers: int = 1,
) -> PostprocessTuning:
    """Choose smoothing, layer weights and fusion by pixel AUPRO, then the image score by AUROC.

    The image score does not affect the maps, so it cannot change that objective. Where anomalous
    samples of a part have no masks, maps are chosen by image AUROC as well.

    Args:
        folds: predictions on the held-out folds of one trial.
        protocol: how they are scored.
        on_progress: called with the number of settings tried and of all settings.
        workers: number of threads.
    """
    first = next(iter(folds.values()))
    makers, rules = map_settings(*folds.values()), len(score_settings(present_setting(first)))
    total = len(makers) + rules
    by_image = _Criterion("image_auroc", lambda p: auroc(p.image_scores, p.is_anomalous))
    by_pixel = _Criterion("pixel_aupro", lambda predictions: _pixel_aupro(predictions, protocol))
    maps = _choose(
        folds,
        makers,
        by_image if parts_without_pixels(folds) else by_pixel,
        protocol,
        on_progress=lambda done: on_progress(done, total),
        workers=workers,
    )
    image_score = _choose(
        folds,
        score_settings(maps.applied),
        by_image,
        protocol,
        on_progress=lambda done: on_progress(len(makers) + done, total),
        workers=workers,
    )
    return PostprocessTuning(maps=maps, image_score=image_score)


def nested_selection(
    table: Float[np.ndarray, "k u"], keys: Sequence[str]
) -> tuple[int, Mapping[str, int]]:
    """The best setting on all folds, and for each fold the best one on the other folds.

    Ties go to the first setting, so that nothing changes without a reason.

    Args:
        table: score of each setting in each fold.
        keys: keys of the folds (`LC/fold0`); folds of the same number are left out together.
    """
    folds = [FoldKey.parse(key).fold for key in keys]
    without = {
        fold: _best(table, keys, [i for i, other in enumerate(folds) if other != fold])
        for fold in set(folds)
    }
    overall = _best(table, keys, range(len(keys)))
    return overall, {key: without[fold] for key, fold in zip(keys, folds, strict=True)}


@dataclass(frozen=True, slots=True)
class _Criterion:
    """Criterion by which settings are chosen."""

    metric: str
    score: Callable[[Predictions], float]
    """Computes the metric of a fold."""


def _pixel_aupro(predictions: Predictions, protocol: ProtocolConfig) -> float:
    return aupro(
        predictions.labelled(predictions.maps),
        predictions.labelled(predictions.scored_masks),
        fpr_limit=protocol.fpr_limit,
        missed_regions=predictions.missed_regions,
    )


def _choose(
    folds: FoldPredictions,
    settings: Sequence[PostprocessSetting],
    criterion: _Criterion,
    protocol: ProtocolConfig,
    *,
    on_progress: Callable[[int], None],
    workers: int,
) -> NestedSelection:
    keys = list(folds)
    rows = []
    with ThreadPoolExecutor(workers) as pool:
        for row in pool.map(
            lambda setting: [criterion.score(rendered(folds[key], setting)) for key in keys],
            settings,
        ):
            rows.append(row)
            on_progress(len(rows))
    best, chosen = nested_selection(np.array(rows), keys)
    theirs = {key: fold_influence(rendered(folds[key], settings[0]), protocol) for key in keys}
    ours = {
        key: fold_influence(rendered(folds[key], settings[one]), protocol) if one else theirs[key]
        for key, one in chosen.items()
    }
    gain = difference_interval(
        list(pooled_folds(ours).values()), list(pooled_folds(theirs).values()), criterion.metric
    )
    return NestedSelection(
        metric=criterion.metric,
        tried=len(settings),
        before=settings[0],
        best=settings[best],
        gain=gain,
    )


def _best(table: Float[np.ndarray, "k u"], keys: Sequence[str], columns: Sequence[int]) -> int:
    parts = [FoldKey.parse(key).part for key in keys]
    means = (
        [
            mean_metrics((parts[column], {"score": row[column]}) for column in columns)
            for row in table
        ]
        if len(columns)
        else []
    )
    scores = np.array([mean["score"] for mean in means])
    return 0 if not len(scores) or np.isnan(scores).all() else int(np.nanargmax(scores))
