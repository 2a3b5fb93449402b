"""Detectors: the decoders and how they are trained, each with its own paper's numbers."""

from dataclasses import dataclass
from typing import Literal

from bearing_search.config.rules import STRICT_KEYS, require

Detector = Literal["dinomaly", "vitad", "patchcore", "padim"]
"""What finds anomalies in the encoder's tokens."""

TapMapping = Literal["ader", "dinomaly"]
"""Which block of ViTAD's student answers which block of its teacher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """Training of a decoder, the same for Dinomaly and ViTAD (paper, section 4.1)."""

    __pydantic_config__ = STRICT_KEYS

    iterations: int = 1750
    """Optimiser steps."""

    batch_size: int = 16
    """Samples of one iteration."""

    lr: float = 2e-3
    """Peak learning rate, reached after `lr_warmup_iters`."""

    final_lr: float = 2e-4
    """Learning rate at the last iteration (cosine)."""

    lr_warmup_iters: int = 100
    """Iterations of linear warm-up."""

    weight_decay: float = 1e-4
    """Weight decay of StableAdamW, on all parameters."""

    betas: tuple[float, float] = (0.9, 0.999)
    """Decay rates of StableAdamW's moments."""

    eps: float = 1e-10
    """StableAdamW's epsilon."""

    grad_clip: float = 0.1
    """Largest norm of the gradient, over all parameters together."""

    def __post_init__(self) -> None:
        for name in ("iterations", "batch_size"):
            value = getattr(self, name)
            require(value >= 1, f"{name} is {value}; it is a count, so at least 1")
        require(self.lr_warmup_iters >= 0, f"lr_warmup_iters is {self.lr_warmup_iters}; 0 or more")
        for name in ("lr", "eps", "grad_clip"):
            value = getattr(self, name)
            require(value > 0, f"{name} is {value}; it must be above 0")
        for name in ("final_lr", "weight_decay"):
            value = getattr(self, name)
            require(value >= 0, f"{name} is {value}; it must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class DinomalyConfig:
    """The Dinomaly decoder (Guo et al. 2025)."""

    __pydantic_config__ = STRICT_KEYS

    target_blocks: tuple[int, ...] = (3, 4, 5, 6, 7, 8, 9, 10)
    """Encoder blocks that are read, counted from 1; their mean feeds the bottleneck."""

    groups: int = 2
    """Into how many group means the blocks are gathered for the loss and the map."""

    decoder_blocks: int = 8
    """Depth of the decoder."""

    dropout: float = 0.2
    """Dropout of the bottleneck."""

    mining_share: float = 0.9
    """Largest share of easy points whose gradient is scaled down (hard mining)."""

    mining_ramp_iters: int = 1000
    """Iterations over which that share would grow by 1 times `mining_share`."""

    mining_factor: float = 0.1
    """What the gradient of an easy point is multiplied by."""

    def __post_init__(self) -> None:
        for name in ("groups", "decoder_blocks"):
            value = getattr(self, name)
            require(value >= 1, f"{name} is {value}; it is a count, so at least 1")
        require(
            len(self.target_blocks) == self.decoder_blocks,
            f"target_blocks names {len(self.target_blocks)} blocks, decoder_blocks is "
            f"{self.decoder_blocks}; each decoder block answers one encoder block",
        )
        require(
            self.decoder_blocks % self.groups == 0,
            f"groups is {self.groups}; it must divide decoder_blocks ({self.decoder_blocks})",
        )
        require(0 <= self.dropout < 1, f"dropout is {self.dropout}; in [0, 1)")


@dataclass(frozen=True, slots=True, kw_only=True)
class VitadConfig:
    """The ViTAD decoder (Zhang et al. 2023), for the encoder `vit_small_patch16_224.dino`."""

    __pydantic_config__ = STRICT_KEYS

    teacher_blocks: tuple[int, ...] = (3, 6, 9)
    """Encoder blocks that the student answers, counted from 1; each is one scale of the map."""

    neck_block: int = 12
    """Encoder block whose output alone feeds the student."""

    student_blocks: int = 9
    """Depth of the student."""

    mapping: TapMapping = "ader"
    """Which student block answers a teacher block: `ader` (its official code) takes the teacher
    blocks in reverse order (3 by 9, 6 by 6, 9 by 3); `dinomaly` counts from the student's end (3 by
    7, 6 by 4, 9 by 1), as the Dinomaly decoder does."""

    init_std: float = 0.02
    """Deviation of the student's initial weights and position embedding; biases are 0."""

    def __post_init__(self) -> None:
        teachers = self.teacher_blocks
        require(
            len(teachers) >= 1 and list(teachers) == sorted(set(teachers)) and teachers[0] >= 1,
            f"teacher_blocks is {list(teachers)}; at least one block, rising, counted from 1",
        )
        require(self.neck_block >= 1, f"neck_block is {self.neck_block}; counted from 1")
        require(
            self.student_blocks >= teachers[-1],
            f"student_blocks is {self.student_blocks}; at least the last of teacher_blocks "
            f"({teachers[-1]}), which a student block must answer",
        )
        require(self.init_std > 0, f"init_std is {self.init_std}; it must be above 0")

    @property
    def taps(self) -> tuple[int, ...]:
        """The student block, counted from 1, that answers each teacher block."""
        if self.mapping == "ader":
            return self.teacher_blocks[::-1]
        return tuple(self.student_blocks + 1 - block for block in self.teacher_blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchCoreConfig:
    """A bank of normal patches (Roth et al. 2022), for the encoder `wide_resnet50_2.tv_in1k`."""

    __pydantic_config__ = STRICT_KEYS

    layers: tuple[int, ...] = (2, 3)
    """Layers that are read of a convolutional network; layer k has a value per 2**(k + 1) px."""

    blocks: tuple[int, ...] = (6, 9)
    """Blocks that are read of a vision transformer, counted from 1. Not in the source: blocks in
    the middle, whose patches differ more than those at the end."""

    neighbourhood: int | None = None
    """Side of the square of patches whose features are averaged; odd, 1 leaves it out. None: 3 of a
    convolutional network, as in the source; 1 of a vision transformer, whose patches have seen
    their surroundings already (measured: docs/method.md)."""

    coreset_share: float = 0.1
    """Share of all normal patches that the bank keeps."""

    projection_dim: int = 128
    """Channels in which the bank is chosen, by a random projection."""

    num_neighbours: int = 9
    """Patches of the bank that the image score is weighed by; 1 leaves the weighing out."""

    def __post_init__(self) -> None:
        _require_layers(self.layers, self.blocks)
        side = self.neighbourhood
        if side is not None:
            require(side >= 1 and side % 2 == 1, f"neighbourhood is {side}; it must be odd")
        require(
            0 < self.coreset_share <= 1, f"coreset_share is {self.coreset_share}; above 0, up to 1"
        )
        for name in ("projection_dim", "num_neighbours"):
            value = getattr(self, name)
            require(value >= 1, f"{name} is {value}; it is a count, so at least 1")

    def averaged_side(self, *, is_cnn: bool) -> int:
        """Side of the square of patches that is averaged, given what they are features of."""
        if self.neighbourhood is not None:
            return self.neighbourhood
        return 3 if is_cnn else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PadimConfig:
    """A Gaussian per position (Defard et al. 2021), for `resnet18.tv_in1k`."""

    __pydantic_config__ = STRICT_KEYS

    layers: tuple[int, ...] = (1, 2, 3)
    """Layers that are read of a convolutional network; layer k has a value per 2**(k + 1) px."""

    blocks: tuple[int, ...] = (3, 6, 9)
    """Blocks that are read of a vision transformer, counted from 1. Not in the source."""

    dims: int = 100
    """Channels that are drawn of all layers: 100 with ResNet18, 550 with Wide ResNet50. A position
    needs `dims` squared numbers."""

    epsilon: float = 0.01
    """What is added to the diagonal of every covariance."""

    def __post_init__(self) -> None:
        _require_layers(self.layers, self.blocks)
        require(self.dims >= 1, f"dims is {self.dims}; it is a count, so at least 1")
        require(self.epsilon > 0, f"epsilon is {self.epsilon}; it must be above 0")


def _require_layers(layers: tuple[int, ...], blocks: tuple[int, ...]) -> None:
    rising = "at least one, rising"
    require(
        len(layers) >= 1 and list(layers) == sorted(set(layers)) and set(layers) <= {1, 2, 3, 4},
        f"layers is {list(layers)}; {rising}, of 1 to 4",
    )
    require(
        len(blocks) >= 1 and list(blocks) == sorted(set(blocks)) and blocks[0] >= 1,
        f"blocks is {list(blocks)}; {rising}, counted from 1",
    )
