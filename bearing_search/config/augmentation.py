"""Random rotation in both training stages (paper, section 4.1), and what they may add to it."""

from dataclasses import dataclass

from bearing_search.config.fields import (
    STRICT_KEYS,
    OpenChoice,
    Range,
    config_field,
    require_ranges,
)

_ROTATION = OpenChoice(
    "rotation during decoder training",
    "as for the encoder: one angle per batch",
    paper="up to 15 degrees, LC and SC",
)

OTHER_AUGMENTATION = OpenChoice(
    "other augmentation",
    "none; both trainings can flip and transpose their batches and vary their brightness",
    paper="rotation only",
)
"""Of the settings `flip` and `brightness_jitter` of both trainings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """Random rotation during training (paper, section 4.1)."""

    __pydantic_config__ = STRICT_KEYS

    rotation_deg: float = config_field(
        15.0, Range(at_least=0, at_most=180), "deg", paper="4.1", open_choice=_ROTATION
    )
    """Maximum rotation in either direction, one angle per batch; 0 switches rotation off."""

    rotated_parts: tuple[str, ...] = config_field(("LC", "SC"), paper="4.1", open_choice=_ROTATION)
    """Parts that are rotated."""

    def __post_init__(self) -> None:
        require_ranges(self)
