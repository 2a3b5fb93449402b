"""Multi-task fine-tuning of the encoder (paper, section 3.2), and the rotation of both stages."""

from dataclasses import dataclass
from typing import Literal

from bearing_search.config.rules import STRICT_KEYS, require

Head = Literal["linear", "mlp"]
"""A head's form: one linear map, or a hidden layer of the encoder's width with GELU before it."""

SyntheticDefects = Literal["when_needed", "always"]
FinetuneSchedule = Literal["iterations", "epochs", "constant"]
"""When defects are drawn onto normal samples for patch classification."""


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
    """Share of the training during which the learning rates rise from 0."""

    schedule: FinetuneSchedule = "epochs"
    """What the learning rates follow after their warm-up (not in the paper). `epochs`: a cosine
    over the epochs, so that those of reconstruction alone are the same whatever the alternation
    after them, and all its periods share them. `iterations`: a cosine over the iterations, however
    they are spread over the epochs. `constant`: the peak throughout, without warm-up; then a longer
    training also goes on from a shorter one."""

    grad_clip: float = 1.0
    """Largest norm of the gradient, over all parameters together."""

    batch_size: int = 16
    """Samples of one iteration."""

    trainable_blocks: int | None = None
    """How many of the last blocks learn, with the final norm; 0: the heads alone. None: everything,
    the embedding of patches and positions too, as in the paper."""

    layer_decay: float = 1.0
    """Factor on the encoder's learning rate from each block to the one before it. 1: one rate."""

    patch_anchor_weight: float = 0.0
    """Weight of L_P in patch classification, on the anomalous samples; their anomalous patches are
    left out of it. The paper has L_P in reconstruction alone."""

    patch_coverage: float = 0.0
    """Share of a patch's pixels that must be anomalous to label it so; 0: any pixel is enough."""

    patch_head: Head = "linear"
    """Form of H_patch. The paper does not state it."""

    patch_head_blocks: tuple[int, ...] = ()
    """Blocks, counted from 1, whose mean tokens H_patch reads, through a LayerNorm of its own;
    empty: the tokens after the final norm. The paper does not state where the head sits."""

    patch_steps_per_epoch: int | None = None
    """Iterations of an epoch of patch classification; None: as many as one pass takes."""

    reconstruction_head: Head = "linear"
    """Form of H_RC. The paper does not state it."""

    reconstruction_head_blocks: tuple[int, ...] = ()
    """As `patch_head_blocks`, for H_RC."""

    synthetic_defects: SyntheticDefects = "when_needed"
    """`when_needed`: only for a part whose training side has no defect, once for all epochs.
    `always`: drawn defects fill `synthetic_share` of every batch of patch classification, anew in
    every epoch."""

    synthetic_share: float = 0.5
    """Share of drawn defects in a batch, where they are drawn always; 1 uses no real ones."""

    flip: bool = False
    """Whether fine-tuning mirrors and transposes its images, in one of the eight ways for a whole
    batch and for all parts; the detector's training does not. The paper does not."""

    tuned_share: float = 1.0
    """How far the encoder keeps, at the end, the way that it went from its pretrained weights, in
    [0, 1] (weight interpolation, Wortsman et al. 2022, WiSE-FT). 1: all of it, as in the paper."""

    def __post_init__(self) -> None:
        for name in ("alternation_period", "batch_size"):
            value = getattr(self, name)
            require(value >= 1, f"{name} is {value}; it is a count, so at least 1")
        self._require_places()
        for name in ("epochs", "reconstruction_only_epochs"):
            value = getattr(self, name)
            require(value >= 0, f"{name} is {value}; it counts epochs, so at least 0")
        require(
            self.reconstruction_only_epochs <= self.epochs,
            f"reconstruction_only_epochs is {self.reconstruction_only_epochs}, "
            f"more than all epochs ({self.epochs})",
        )
        require(self.ssim_window % 2 == 1, f"ssim_window is {self.ssim_window}; it must be odd")
        for name in (
            "perceptual_weight",
            "pixel_weight",
            "encoder_lr",
            "weight_decay",
            "patch_anchor_weight",
        ):
            value = getattr(self, name)
            require(value >= 0, f"{name} is {value}; it must not be negative")
        for name in ("positive_weight", "head_lr", "grad_clip"):
            value = getattr(self, name)
            require(value > 0, f"{name} is {value}; it must be above 0")
        require(0 <= self.warmup_share < 1, f"warmup_share is {self.warmup_share}; in [0, 1)")
        require(0 < self.layer_decay <= 1, f"layer_decay is {self.layer_decay}; in (0, 1]")
        for name in ("patch_coverage", "synthetic_share", "tuned_share"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"{name} is {value}; in [0, 1]")
        blocks, steps = self.trainable_blocks, self.patch_steps_per_epoch
        require(blocks is None or blocks >= 0, f"trainable_blocks is {blocks}; at least 0, or none")
        require(steps is None or steps >= 1, f"patch_steps_per_epoch is {steps}; at least 1")

    def _require_places(self) -> None:
        require(
            len(self.ssim_layers) >= 1,
            f"ssim_layers is {list(self.ssim_layers)}; at least one block, each once",
        )
        for name in ("ssim_layers", "patch_head_blocks", "reconstruction_head_blocks"):
            blocks = getattr(self, name)
            require(
                all(block >= 1 for block in blocks),
                f"{name} is {list(blocks)}; blocks are counted from 1",
            )
            require(len(set(blocks)) == len(blocks), f"{name} is {list(blocks)}; each block once")

    @property
    def encoder_blocks(self) -> dict[str, tuple[int, ...]]:
        """Blocks of the encoder that are needed, by the setting that names them."""
        blocks = {
            "ssim_layers": self.ssim_layers,
            "patch_head_blocks": self.patch_head_blocks,
            "reconstruction_head_blocks": self.reconstruction_head_blocks,
            "trainable_blocks": (self.trainable_blocks,) if self.trainable_blocks else (),
        }
        return {name: found for name, found in blocks.items() if found}
