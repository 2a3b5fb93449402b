"""Settings of decoder training, and of the detectors that train a decoder."""

from dataclasses import dataclass
from typing import Literal

from bearing_search.config.augmentation import MASKED_PATCHES, OTHER_AUGMENTATION
from bearing_search.config.fields import (
    ABOVE_0,
    AT_LEAST_0,
    AT_LEAST_1,
    SHARE,
    SHARE_BELOW_1,
    STRICT_KEYS,
    OpenChoice,
    added_later,
    config_field,
    require,
    require_ranges,
    require_rising,
)

TapMapping = Literal["ader", "dinomaly"]
"""Which block of ViTAD's student reconstructs which block of the teacher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """Training of a decoder, the same for Dinomaly and ViTAD (paper, section 4.1)."""

    __pydantic_config__ = STRICT_KEYS

    iterations: int = config_field(1750, AT_LEAST_1, "iterations", paper="4.1")
    """Optimiser steps."""

    batch_size: int = config_field(16, AT_LEAST_1, "samples", paper="4.1")
    """Samples per iteration."""

    lr: float = config_field(2e-3, ABOVE_0, paper="4.1")
    """Peak learning rate, reached after `lr_warmup_iters`."""

    final_lr: float = config_field(2e-4, AT_LEAST_0, paper="4.1")
    """Learning rate at the last iteration (cosine)."""

    lr_warmup_iters: int = config_field(100, AT_LEAST_0, "iterations", paper="4.1")
    """Iterations of linear warm-up."""

    weight_decay: float = config_field(1e-4, AT_LEAST_0, paper="4.1")
    """Weight decay of StableAdamW, on all parameters."""

    betas: tuple[float, float] = config_field((0.9, 0.999), SHARE_BELOW_1, paper="4.1")
    """Decay rates of StableAdamW's moments."""

    eps: float = config_field(1e-10, ABOVE_0, paper="4.1")
    """StableAdamW's epsilon."""

    grad_clip: float = config_field(0.1, ABOVE_0)
    """Maximum gradient norm, over all parameters."""

    flip: bool = added_later(config_field(False, open_choice=OTHER_AUGMENTATION), reference=False)
    """As `finetune.flip`, for the images that the decoder is trained on."""

    brightness_jitter: float = added_later(
        config_field(0.0, SHARE_BELOW_1, open_choice=OTHER_AUGMENTATION), reference=0.0
    )
    """As `finetune.brightness_jitter`, for the images that the decoder is trained on."""

    leave_out_masked_patches: bool = added_later(
        config_field(False, open_choice=MASKED_PATCHES), reference=False
    )
    """As `finetune.leave_out_masked_patches`, for the decoder's loss and its hard mining."""

    def __post_init__(self) -> None:
        require_ranges(self)

    @property
    def alters_images(self) -> bool:
        """Whether images are augmented by more than the rotation of `augment`."""
        return self.flip or self.brightness_jitter > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DinomalyConfig:
    """The Dinomaly decoder (Guo et al. 2025)."""

    __pydantic_config__ = STRICT_KEYS

    target_blocks: tuple[int, ...] = config_field((3, 4, 5, 6, 7, 8, 9, 10), AT_LEAST_1, "blocks")
    """Encoder blocks whose mean feeds the bottleneck, counted from 1."""

    groups: int = config_field(
        2,
        AT_LEAST_1,
        open_choice=OpenChoice(
            "groups of the Dinomaly decoder",
            "two, as in the official code",
            paper="describes one group",
            source="Dinomaly's code",
        ),
    )
    """Number of groups that the blocks are averaged into for the loss and the anomaly map."""

    decoder_blocks: int = config_field(8, AT_LEAST_1, "blocks")
    """Depth of the decoder."""

    dropout: float = config_field(0.2, SHARE_BELOW_1)
    """Dropout of the bottleneck."""

    mining_share: float = config_field(0.9, SHARE)
    """Final share of easy points whose gradient is scaled down (hard mining)."""

    mining_ramp_iters: int = config_field(1000, AT_LEAST_1, "iterations")
    """Iterations over which that share grows linearly from 0 to `mining_share`."""

    mining_factor: float = 0.1
    """Factor on the gradient of an easy point."""

    def __post_init__(self) -> None:
        require_ranges(self)
        require(
            len(self.target_blocks) == self.decoder_blocks,
            f"target_blocks names {len(self.target_blocks)} blocks, decoder_blocks is "
            f"{self.decoder_blocks}; each decoder block reconstructs one encoder block",
        )
        require(
            self.decoder_blocks % self.groups == 0,
            f"groups is {self.groups}; it must divide decoder_blocks ({self.decoder_blocks})",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VitadConfig:
    """The ViTAD decoder (Zhang et al. 2023), for the encoder `vit_small_patch16_224.dino`."""

    __pydantic_config__ = STRICT_KEYS

    teacher_blocks: tuple[int, ...] = config_field((3, 6, 9), AT_LEAST_1, "blocks")
    """Encoder blocks that the student reconstructs, counted from 1; each is a scale of the map."""

    neck_block: int = config_field(12, AT_LEAST_1, "block")
    """Encoder block whose output is the student's only input."""

    student_blocks: int = config_field(9, AT_LEAST_1, "blocks")
    """Depth of the student."""

    mapping: TapMapping = "ader"
    """Which student block reconstructs a teacher block: `ader` (the official code) takes the
    teacher blocks in reverse order (3 by 9, 6 by 6, 9 by 3); `dinomaly` counts from the student's
    end (3 by 7, 6 by 4, 9 by 1), as the Dinomaly decoder does."""

    init_std: float = config_field(0.02, ABOVE_0)
    """Standard deviation of the student's initial weights and position embedding; biases are 0."""

    def __post_init__(self) -> None:
        require_ranges(self)
        require_rising("teacher_blocks", self.teacher_blocks)
        require(
            self.student_blocks >= self.teacher_blocks[-1],
            f"student_blocks is {self.student_blocks}; must be at least the last of "
            f"teacher_blocks ({self.teacher_blocks[-1]}), which a student block reconstructs",
        )

    @property
    def taps(self) -> tuple[int, ...]:
        """The student block, counted from 1, that reconstructs each teacher block."""
        if self.mapping == "ader":
            return self.teacher_blocks[::-1]
        return tuple(self.student_blocks + 1 - block for block in self.teacher_blocks)
