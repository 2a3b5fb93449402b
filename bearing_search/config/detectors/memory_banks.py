"""Settings of the detectors that fit a model of normal patches and train no weights."""

from dataclasses import dataclass

from bearing_search.config.fields import (
    ABOVE_0,
    AT_LEAST_1,
    ODD,
    SHARE_ABOVE_0,
    STRICT_KEYS,
    OpenChoice,
    Range,
    added_later,
    config_field,
    require_ranges,
    require_rising,
)

_LAYERS = Range(at_least=1, at_most=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchCoreConfig:
    """A memory bank of normal patches (Roth et al. 2022), for `wide_resnet50_2.tv_in1k`."""

    __pydantic_config__ = STRICT_KEYS

    layers: tuple[int, ...] = config_field((2, 3), _LAYERS, "layers")
    """Layers read from a convolutional network; layer k has a stride of 2**(k + 1) px."""

    blocks: tuple[int, ...] = config_field((6, 9), AT_LEAST_1, "blocks")
    """Blocks read from a vision transformer, counted from 1. Not in the source: middle blocks,
    whose patches differ more than those of the last blocks."""

    neighbourhood: int | None = config_field(
        None,
        ODD,
        "patches",
        open_choice=OpenChoice(
            "whether PatchCore averages neighbouring patches",
            "3x3 means for a convolutional network, as in the source; none for a transformer",
            paper="has no PatchCore",
            source="measured (docs/method.md)",
        ),
    )
    """Side of the square of patches whose features are averaged; 1: no averaging. None: 3 for a
    convolutional network; 1 for a vision transformer (docs/method.md)."""

    coreset_share: float = config_field(0.1, SHARE_ABOVE_0)
    """Share of all normal patches in the memory bank's coreset."""

    projection_dim: int = config_field(128, AT_LEAST_1, "channels")
    """Channels of the random projection in which the coreset is selected."""

    num_neighbours: int = config_field(9, AT_LEAST_1, "patches")
    """Nearest patches in the bank used to reweight the image score; 1: no reweighting."""

    def __post_init__(self) -> None:
        require_ranges(self)
        require_rising("layers", self.layers)
        require_rising("blocks", self.blocks)

    def averaged_side(self, *, is_cnn: bool) -> int:
        """Side of the square of patches that is averaged, for this kind of encoder."""
        if self.neighbourhood is not None:
            return self.neighbourhood
        return 3 if is_cnn else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PadimConfig:
    """A Gaussian per position (Defard et al. 2021), for `resnet18.tv_in1k`."""

    __pydantic_config__ = STRICT_KEYS

    layers: tuple[int, ...] = config_field((1, 2, 3), _LAYERS, "layers")
    """Layers read from a convolutional network; layer k has a stride of 2**(k + 1) px."""

    blocks: tuple[int, ...] = config_field((3, 6, 9), AT_LEAST_1, "blocks")
    """Blocks read from a vision transformer, counted from 1. Not in the source."""

    dims: int = config_field(100, AT_LEAST_1, "channels")
    """Channels drawn from all layers (550 with Wide ResNet50); a position stores their square."""

    epsilon: float = config_field(0.01, ABOVE_0)
    """Added to the diagonal of every covariance matrix."""

    def __post_init__(self) -> None:
        require_ranges(self)
        require_rising("layers", self.layers)
        require_rising("blocks", self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubspaceConfig:
    """A subspace of the normal patches (SubspaceAD, Lendering et al. 2026)."""

    __pydantic_config__ = STRICT_KEYS

    blocks: tuple[int, ...] = added_later(
        config_field((7, 8, 9), AT_LEAST_1, "blocks"), reference=(7, 8, 9)
    )
    """Blocks whose mean is a patch's feature, counted from 1; of 40 blocks the source takes 23 to
    29, which are these of 12."""

    explained_variance: float = added_later(config_field(0.99, SHARE_ABOVE_0), reference=0.99)
    """Share of the normal patches' variance that the subspace holds; the rest is the distance."""

    def __post_init__(self) -> None:
        require_ranges(self)
        require_rising("blocks", self.blocks)
