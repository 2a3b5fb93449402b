"""The post-processing settings that the search tries on stored distances."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from bearing_search.config import Fusion, PostprocessConfig
from bearing_search.evaluation.predictions import Predictions
from bearing_search.evaluation.scored_region import region_sizes

_SMOOTHING_PX = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0)
_OUTER_PX, _INNER_PX = (0.0, 4.0, 8.0, 12.0, 16.0, 24.0, 32.0), (0.0, 4.0)
"""Margins at the outer and the inner edge of the region of interest. An inner one is as wide as the
outer one, or one of these."""

_REGION_SMOOTHING_PX = (2.0, 4.0, 8.0)
"""Smoothing that margins are tried with: there are many of them."""

_LEAST_LEFT = 0.25
"""Share of every sample's region of interest that a margin must leave to be tried."""

_TOP_SHARES = (0.001, 0.005, 0.01, 0.02, 0.05)
_POOLS_PX = (4, 8, 16, 32)
_SHARED = 0.75
"""Weight of the preferred layer; the others share the rest equally."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocessSetting:
    """One way to make maps and scores from stored distances."""

    postprocess: PostprocessConfig
    fusion: Fusion

    def difference(self, other: "PostprocessSetting") -> str:
        """The values that differ from the other's: `smoothing_sigma_px 2, fusion score_max`."""
        ours = asdict(self.postprocess) | {"fusion": self.fusion}
        theirs = asdict(other.postprocess) | {"fusion": other.fusion}
        return ", ".join(
            f"{name} {list(value) if isinstance(value, tuple) else value}"
            for name, value in ours.items()
            if value != theirs[name]
        )


def present_setting(predictions: Predictions) -> PostprocessSetting:
    """The setting with which the maps and scores of these predictions were made."""
    rendering = predictions.rendering
    return PostprocessSetting(postprocess=rendering.postprocess, fusion=rendering.fusion)


def map_settings(predictions: Predictions, *others: Predictions) -> list[PostprocessSetting]:
    """All settings to try for making maps, the present one first.

    Margins are tried with some smoothing, not with each layer weighting. They need the regions of
    interest, which files of before these were stored lack.

    Args:
        predictions: one fold's, from which the present setting is taken.
        others: the other folds', for which a margin must leave enough as well.
    """
    before = present_setting(predictions)
    fusions: tuple[Fusion, ...] = (before.fusion,)
    if before.fusion != "channels":
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
    found += [
        PostprocessSetting(
            postprocess=replace(region, smoothing_sigma_px=sigma), fusion=before.fusion
        )
        for region in _regions(before.postprocess, [predictions, *others])
        for sigma in _REGION_SMOOTHING_PX
    ]
    found = list(dict.fromkeys(found))
    return [before, *(setting for setting in found if setting != before)]


def score_settings(before: PostprocessSetting) -> list[PostprocessSetting]:
    """All settings to try for image scores, the present one first; none changes the maps."""
    post = before.postprocess
    found = [
        replace(post, image_score="own"),
        replace(post, image_score="max"),
        *(replace(post, image_score="top_share", top_share=share) for share in _TOP_SHARES),
        *(replace(post, image_score="pooled_max", pool_px=side) for side in _POOLS_PX),
    ]
    return [before, *(replace(before, postprocess=one) for one in found if one != post)]


def rendered(predictions: Predictions, setting: PostprocessSetting) -> Predictions:
    """The same predictions with another setting."""
    if setting == present_setting(predictions):
        return predictions
    fused = replace(predictions, rendering=replace(predictions.rendering, fusion=setting.fusion))
    return fused.with_postprocess(setting.postprocess)


def _regions(before: PostprocessConfig, folds: Sequence[Predictions]) -> list[PostprocessConfig]:
    """The present setting with other scored regions."""
    pairs = [
        (outer, inner)
        for outer in _OUTER_PX
        for inner in (None, *(one for one in _INNER_PX if one < outer))
    ]
    tried = [
        replace(before, margin_px=outer, inner_margin_px=inner, leave_out_masked_patches=False)
        for outer, inner in pairs
    ]
    tried.append(
        replace(before, margin_px=0.0, inner_margin_px=None, leave_out_masked_patches=True)
    )
    return [one for one in tried if all(_leaves_enough(fold, one) for fold in folds)]


def _leaves_enough(fold: Predictions, setting: PostprocessConfig) -> bool:
    if fold.roi is None:
        return False
    rows, columns = fold.distances.shape[-2:]
    left = region_sizes(fold.roi, setting, (rows, columns))
    return bool((left >= _LEAST_LEFT * fold.roi.sum(axis=(1, 2))).all())


def _layer_weights(layers: int) -> list[tuple[float, ...]]:
    if layers == 1:
        return [()]
    alone = [tuple(float(i == one) for i in range(layers)) for one in range(layers)]
    rest = (1 - _SHARED) / (layers - 1)
    mostly = [tuple(_SHARED if i == one else rest for i in range(layers)) for one in range(layers)]
    return [(), *alone, *mostly]
