"""The post-processing settings that the search tries on stored distances."""

from dataclasses import asdict, dataclass, replace

from bearing_search.config import Fusion, PostprocessConfig
from bearing_search.evaluation.predictions import Predictions

_SMOOTHING_PX = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0)
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


def map_settings(predictions: Predictions) -> list[PostprocessSetting]:
    """All settings to try for making maps, the present one first."""
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


def _layer_weights(layers: int) -> list[tuple[float, ...]]:
    if layers == 1:
        return [()]
    alone = [tuple(float(i == one) for i in range(layers)) for one in range(layers)]
    rest = (1 - _SHARED) / (layers - 1)
    mostly = [tuple(_SHARED if i == one else rest for i in range(layers)) for one in range(layers)]
    return [(), *alone, *mostly]
