"""Post-processing chosen after training, on stored distances: free, and just as honestly judged.

A knob is chosen on some folds and judged on the fold that was left out, for each fold in turn
(nested selection): the gain that is reported was never chosen on. It is applied only where the
interval of that gain lies above 0.

Axis letters: k knobs, u units.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

import numpy as np
from jaxtyping import Float

from bearing_search.analysis.comparison import FoldPredictions, fold_influence, pooled_folds
from bearing_search.analysis.intervals import Interval, difference_interval
from bearing_search.config import Fusion, PostprocessConfig, ProtocolConfig
from bearing_search.evaluation.metrics import METRIC_NAMES, aupro, auroc
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
    """What nested selection found among some knobs."""

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
    units: FoldPredictions,
    protocol: ProtocolConfig,
    *,
    on_progress: Progress = lambda done, total: None,
    workers: int = 1,
) -> PostprocessTuning:
    """Choose smoothing, layer weights and fusion by pixel AUPRO, then the image score by AUROC.

    The image score does not touch the maps, so it cannot change the objective.

    Args:
        units: held-out folds of one trial.
        on_progress: told how many of how many knobs are tried.
        workers: threads.
    """
    first = next(iter(units.values()))
    before = PostprocessSetting(
        postprocess=first.rendering.postprocess, fusion=first.rendering.fusion
    )
    makers, rules = map_settings(first), len(_image_scores(before))
    total = len(makers) + rules
    maps = _choose(
        units,
        makers,
        lambda scored: aupro(
            scored.maps,
            scored.masks,
            fpr_limit=protocol.fpr_limit,
            missed_regions=scored.missed_regions,
        ),
        "pixel_aupro",
        protocol,
        on_progress=lambda done: on_progress(done, total),
        workers=workers,
    )
    image_score = _choose(
        units,
        _image_scores(maps.applied),
        lambda scored: auroc(scored.image_scores, scored.is_anomalous),
        "image_auroc",
        protocol,
        on_progress=lambda done: on_progress(len(makers) + done, total),
        workers=workers,
    )
    return PostprocessTuning(maps=maps, image_score=image_score)


def map_settings(scored: Predictions) -> list[PostprocessSetting]:
    """Every way to make the maps, the present one first."""
    rendering = scored.rendering
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
        for layers in _layer_weights(scored.distances.shape[2])
        for sigma in _SMOOTHING_PX
    ]
    return [before, *(knob for knob in found if knob != before)]


def nested_selection(
    table: Float[np.ndarray, "k u"], keys: Sequence[str]
) -> tuple[int, Mapping[str, int]]:
    """The best knob on all folds, and for each unit the best one on the folds without it.

    Of equals the first, so that nothing is changed without a reason.

    Args:
        table: score of each knob in each unit.
        keys: of the units (`LC/fold0`); what the folds of one number hold out is left out together.
    """
    folds = [key.rpartition("/")[2] for key in keys]
    without = {
        fold: _best(table, keys, [i for i, other in enumerate(folds) if other != fold])
        for fold in set(folds)
    }
    overall = _best(table, keys, range(len(keys)))
    return overall, {key: without[fold] for key, fold in zip(keys, folds, strict=True)}


def rendered(scored: Predictions, knob: PostprocessSetting) -> Predictions:
    """The same detection with another knob."""
    if (scored.rendering.postprocess, scored.rendering.fusion) == (knob.postprocess, knob.fusion):
        return scored
    fused = replace(scored, rendering=replace(scored.rendering, fusion=knob.fusion))
    return fused.with_postprocess(knob.postprocess)


def _choose(
    units: FoldPredictions,
    knobs: Sequence[PostprocessSetting],
    score: Callable[[Predictions], float],
    metric: str,
    protocol: ProtocolConfig,
    *,
    on_progress: Callable[[int], None],
    workers: int,
) -> NestedSelection:
    keys = list(units)
    rows = []
    with ThreadPoolExecutor(workers) as pool:
        for row in pool.map(
            lambda knob: [score(rendered(units[key], knob)) for key in keys], knobs
        ):
            rows.append(row)
            on_progress(len(rows))
    best, chosen = nested_selection(np.array(rows), keys)
    column = METRIC_NAMES.index(metric)
    theirs = {key: fold_influence(rendered(units[key], knobs[0]), protocol) for key in keys}
    ours = {
        key: fold_influence(rendered(units[key], knobs[one]), protocol) if one else theirs[key]
        for key, one in chosen.items()
    }
    gain = difference_interval(
        list(pooled_folds(ours).values()), list(pooled_folds(theirs).values()), column
    )
    return NestedSelection(
        metric=metric, tried=len(knobs), before=knobs[0], best=knobs[best], gain=gain
    )


def _best(table: Float[np.ndarray, "k u"], keys: Sequence[str], columns: Sequence[int]) -> int:
    means = (
        [
            mean_metrics((keys[column].split("/")[0], {"score": row[column]}) for column in columns)
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
