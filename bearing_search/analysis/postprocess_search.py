"""Post-processing chosen after training, on stored distances: free, and just as honestly judged.

A setting is chosen on some folds and judged on the fold that was left out, for each fold in turn
(nested selection): the gain that is reported was never chosen on. It is applied only where the
interval of that gain lies above 0.

Axis letters: k settings, u folds.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

import numpy as np
from jaxtyping import Float

from bearing_search.analysis.comparison import FoldPredictions, fold_influence, pooled_folds
from bearing_search.analysis.intervals import Interval, difference_interval
from bearing_search.config import Fusion, PostprocessConfig, ProtocolConfig
from bearing_search.data.fold_key import FoldKey
from bearing_search.evaluation.metrics import aupro, auroc
from bearing_search.evaluation.predictions import Predictions, mean_metrics

_SMOOTHING_PX = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0)
_TOP_SHARES = (0.001, 0.005, 0.01, 0.02, 0.05)
_POOLS_PX = (4, 8, 16, 32)
_SHARED = 0.75
"""Weight of one layer among those that are weighed at all, the others sharing the rest."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocessSetting:
    """One way to make maps and scores of stored distances."""

    postprocess: PostprocessConfig
    fusion: Fusion

    def difference(self, other: "PostprocessSetting") -> str:
        """What it sets otherwise: `smoothing_sigma_px 2, fusion score_max`."""
        ours = asdict(self.postprocess) | {"fusion": self.fusion}
        theirs = asdict(other.postprocess) | {"fusion": other.fusion}
        return ", ".join(
            f"{name} {list(value) if isinstance(value, tuple) else value}"
            for name, value in ours.items()
            if value != theirs[name]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedSelection:
    """What nested selection found among some settings."""

    metric: str
    """By which they were chosen."""

    tried: int
    before: PostprocessSetting
    best: PostprocessSetting
    """Chosen on all folds."""

    gain: Interval
    """Of what was chosen without a fold, on that fold."""

    @property
    def is_shown(self) -> bool:
        """Whether the gain is more than chance."""
        return self.best != self.before and self.gain.low > 0

    @property
    def applied(self) -> PostprocessSetting:
        """What to use."""
        return self.best if self.is_shown else self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocessTuning:
    """Both choices for one trial: how maps are made, then how a map becomes one score."""

    maps: NestedSelection
    image_score: NestedSelection

    @property
    def applied(self) -> PostprocessSetting:
        """What `evaluate` uses."""
        return self.image_score.applied


def tune_postprocess(
    folds: FoldPredictions,
    protocol: ProtocolConfig,
    *,
    on_progress: Progress = lambda done, total: None,
    workers: int = 1,
) -> PostprocessTuning:
    """Choose smoothing, layer weights and fusion by pixel AUPRO, then the image score by AUROC.

    The image score does not touch the maps, so it cannot change the objective.

    Args:
        folds: held-out folds of one trial.
        on_progress: told how many of how many settings are tried.
        workers: threads.
    """
    first = next(iter(folds.values()))
    before = PostprocessSetting(
        postprocess=first.rendering.postprocess, fusion=first.rendering.fusion
    )
    makers, rules = map_settings(first), len(_image_scores(before))
    total = len(makers) + rules
    maps = _choose(
        folds,
        makers,
        lambda predictions: aupro(
            predictions.maps,
            predictions.masks,
            fpr_limit=protocol.fpr_limit,
            missed_regions=predictions.missed_regions,
        ),
        "pixel_aupro",
        protocol,
        on_progress=lambda done: on_progress(done, total),
        workers=workers,
    )
    image_score = _choose(
        folds,
        _image_scores(maps.applied),
        lambda predictions: auroc(predictions.image_scores, predictions.is_anomalous),
        "image_auroc",
        protocol,
        on_progress=lambda done: on_progress(len(makers) + done, total),
        workers=workers,
    )
    return PostprocessTuning(maps=maps, image_score=image_score)


def map_settings(predictions: Predictions) -> list[PostprocessSetting]:
    """Every way to make the maps, the present one first."""
    rendering = predictions.rendering
    before = PostprocessSetting(postprocess=rendering.postprocess, fusion=rendering.fusion)
    fusions: tuple[Fusion, ...] = (rendering.fusion,)
    if rendering.fusion != "channels":
        fusions = ("score_mean", "score_max")
    found = [
        PostprocessSetting(
            postprocess=replace(before.postprocess, smoothing_sigma_px=sigma, layer_weights=layers),
            fusion=fusion,
        )
        for fusion in fusions
        for layers in _layer_weights(predictions.distances.shape[2])
        for sigma in _SMOOTHING_PX
    ]
    return [before, *(setting for setting in found if setting != before)]


def nested_selection(
    table: Float[np.ndarray, "k u"], keys: Sequence[str]
) -> tuple[int, Mapping[str, int]]:
    """The best setting on all folds, and for each fold the best one on the folds without it.

    Of equals the first, so that nothing is changed without a reason.

    Args:
        table: score of each setting in each fold.
        keys: of the folds (`LC/fold0`); what the folds of one number hold out is left out together.
    """
    folds = [FoldKey.parse(key).fold for key in keys]
    without = {
        fold: _best(table, keys, [i for i, other in enumerate(folds) if other != fold])
        for fold in set(folds)
    }
    overall = _best(table, keys, range(len(keys)))
    return overall, {key: without[fold] for key, fold in zip(keys, folds, strict=True)}


def rendered(predictions: Predictions, setting: PostprocessSetting) -> Predictions:
    """The same detection with another setting."""
    if (predictions.rendering.postprocess, predictions.rendering.fusion) == (
        setting.postprocess,
        setting.fusion,
    ):
        return predictions
    fused = replace(predictions, rendering=replace(predictions.rendering, fusion=setting.fusion))
    return fused.with_postprocess(setting.postprocess)


def _choose(
    folds: FoldPredictions,
    settings: Sequence[PostprocessSetting],
    score: Callable[[Predictions], float],
    metric: str,
    protocol: ProtocolConfig,
    *,
    on_progress: Callable[[int], None],
    workers: int,
) -> NestedSelection:
    keys = list(folds)
    rows = []
    with ThreadPoolExecutor(workers) as pool:
        for row in pool.map(
            lambda setting: [score(rendered(folds[key], setting)) for key in keys], settings
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
        list(pooled_folds(ours).values()), list(pooled_folds(theirs).values()), metric
    )
    return NestedSelection(
        metric=metric, tried=len(settings), before=settings[0], best=settings[best], gain=gain
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


def _layer_weights(layers: int) -> list[tuple[float, ...]]:
    if layers == 1:
        return [()]
    alone = [tuple(float(i == one) for i in range(layers)) for one in range(layers)]
    rest = (1 - _SHARED) / (layers - 1)
    mostly = [tuple(_SHARED if i == one else rest for i in range(layers)) for one in range(layers)]
    return [(), *alone, *mostly]


def _image_scores(before: PostprocessSetting) -> list[PostprocessSetting]:
    post = before.postprocess
    found = [
        replace(post, image_score="own"),
        replace(post, image_score="max"),
        *(replace(post, image_score="top_share", top_share=share) for share in _TOP_SHARES),
        *(replace(post, image_score="pooled_max", pool_px=side) for side in _POOLS_PX),
    ]
    return [before, *(replace(before, postprocess=one) for one in found if one != post)]
