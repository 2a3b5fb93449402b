"""A detector from outside the package: its settings and its line in the table. No torch."""

from dataclasses import dataclass

from bearing_search.config import DETECTORS, DetectorSpec, MapSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyConfig:
    """Distance to the mean normal token."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's own way

    block: int = 2
    """Encoder block that is read, counted from 1."""

    def __post_init__(self) -> None:
        if self.block < 1:
            raise ValueError(f"block is {self.block}; counted from 1")


SPEC = DetectorSpec(
    title="Toy",
    config=ToyConfig,
    build="toy_distance:build",
    encoder_blocks=("block",),
    iterations=1,
    maps=MapSpec(image_score="top_share"),
)
DETECTORS["toy"] = SPEC
