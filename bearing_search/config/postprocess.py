"""Postprocessing of distances on the encoder's grid into an anomaly map and an image score."""

from dataclasses import dataclass
from typing import Literal

from bearing_search.config.fields import (
    AT_LEAST_0,
    AT_LEAST_1,
    SHARE_ABOVE_0,
    STRICT_KEYS,
    added_later,
    config_field,
    require,
    require_ranges,
)

ImageScore = Literal["own", "top_share", "pooled_max", "max"]
"""How an anomaly map is reduced to one score per sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocessConfig:
    """Postprocessing of a detector's distances: needs no training and can be changed afterwards."""

    __pydantic_config__ = STRICT_KEYS

    image_score: ImageScore = "own"
    """`top_share`: mean of the largest pixels; `pooled_max`: largest mean over a `pool_px` square;
    `max`: largest pixel; `own`: the detector's own rule (docs/method.md)."""

    top_share: float = config_field(0.01, SHARE_ABOVE_0)
    """Share of the pixels that `top_share` averages."""

    pool_px: int = config_field(16, AT_LEAST_1, "px")
    """Side of the squares of `pooled_max`, in pixels of the map; one starts at every pixel."""

    smoothing_sigma_px: float = config_field(4.0, AT_LEAST_0, "px")
    """Sigma of the Gaussian that smooths the map, in pixels of the map; 0: no smoothing. Dinomaly's
    window is 5x5 pixels with zero padding; the others' reaches 4 sigma with mirrored borders."""

    layer_weights: tuple[float, ...] = config_field((), AT_LEAST_0)
    """Weight of each of the detector's layers (Dinomaly's groups, ViTAD's scales) in the map;
    empty: equal weights."""

    margin_px: float | None = added_later(
        config_field(None, AT_LEAST_0, "px"),
        reference=None,
    )
    """Scored is the region of interest less a rim of this width, in pixels of the map: at both
    edges of a ring, elsewhere at the border of the crop. What lies outside is set to the lowest
    value, and regions of the ground truth that lie wholly outside count as missed. None: the whole
    crop, black corners included, as in the paper."""

    inner_margin_px: float | None = added_later(
        config_field(None, AT_LEAST_0, "px"), reference=None
    )
    """Width of the rim at the inner edge of a ring, where it differs. None: `margin_px`."""

    leave_out_masked_patches: bool = added_later(config_field(False), reference=False)
    """With `margin_px`: whether patches that the black mask touches are outside, too."""

    def __post_init__(self) -> None:
        require_ranges(self)
        require(
            not self.layer_weights or max(self.layer_weights) > 0,
            f"layer_weights is {list(self.layer_weights)}; at least one must be above 0",
        )
        require(
            self.margin_px is not None
            or (self.inner_margin_px is None and not self.leave_out_masked_patches),
            "inner_margin_px or leave_out_masked_patches is set, and margin_px none; "
            "set margin_px, to 0 for no rim",
        )
