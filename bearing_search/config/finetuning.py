"""Multi-task fine-tuning of the encoder (paper, section 3.2)."""

from dataclasses import dataclass
from typing import Literal

from bearing_search.config.augmentation import OTHER_AUGMENTATION
from bearing_search.config.fields import (
    ABOVE_0,
    AT_LEAST_0,
    AT_LEAST_1,
    ODD,
    SHARE,
    SHARE_ABOVE_0,
    SHARE_BELOW_1,
    STRICT_KEYS,
    OpenChoice,
    added_later,
    config_field,
    require,
    require_ranges,
)

Head = Literal["linear", "mlp"]
"""A head's architecture: one linear layer, optionally after a GELU hidden layer as wide as the
encoder."""

SyntheticDefects = Literal["when_needed", "always"]
"""When synthetic defects are drawn onto normal samples for patch classification."""

FinetuneSchedule = Literal["iterations", "epochs", "constant"]
"""Learning rate schedule after the warm-up."""

_LENGTH = OpenChoice("length of the fine-tuning", "100 epochs")
_OPTIMISER = OpenChoice(
    "optimiser of the fine-tuning",
    "AdamW, weight decay .05, cosine over epochs with 5 % warm-up, gradient norm 1",
    source="usual for vision transformers",
)
_RATES = OpenChoice(
    "learning rates of the fine-tuning",
    "encoder 1e-5, the same for all blocks; heads 5e-4",
    source="ours; layer-wise decay as in BEiT",
)
_WHAT_LEARNS = OpenChoice(
    "which parameters of the encoder are trained",
    "all, including the embeddings",
    paper="EN_train starts as a copy of EN_pre",
)
_KEPT_CHANGE = OpenChoice(
    "interpolation with the pretrained weights",
    "none: the tuned weights are used",
    paper="apparently none",
    source="Wortsman et al. 2022 (WiSE-FT) for values below 1",
)
_WINDOW = OpenChoice(
    "SSIM window",
    "7 tokens, Gaussian of sigma 1.5, full windows only",
    source="Wang et al. 2004, fitted to the grid",
)
_MEAN = OpenChoice(
    "sum or mean in equation 4",
    "mean: the sum is 602,112 times as large at 448 px and would swamp L_P",
    paper="the squared sum",
    source="measured",
)
_ANCHOR = OpenChoice(
    "whether L_P applies to patch classification too",
    "no; if switched on, patches with an anomalous pixel are excluded",
    paper="L_P is part of L_RC",
)
_HEADS = OpenChoice(
    "architecture and position of the heads",
    "a linear layer each, on patch tokens after the final norm",
    paper="a reconstruction head and a patch head",
)
_PATCH_LABEL = OpenChoice(
    "when a patch is anomalous",
    "one anomalous pixel is enough: dents are smaller than a patch",
    paper="labels per patch",
)
_FEW_PATCHES = OpenChoice(
    "class weight of the few anomalous patches",
    "as in the paper: 1",
    paper="cross entropy over all patches",
    source="equation 6",
)
_PATCH_EPOCH = OpenChoice(
    "length of an epoch of patch classification", "one pass over the anomalous samples"
)
_DRAWN_DEFECTS = OpenChoice(
    "parts without an anomalous training sample",
    "synthetic defects are drawn (cut-paste, scars, blobs), and the trial is tagged",
    paper="every part has some",
    source="CutPaste, DRAEM",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneConfig:
    """Multi-task fine-tuning of the encoder (paper, section 3.2). `epochs: 0`: use EN_pre."""

    __pydantic_config__ = STRICT_KEYS

    epochs: int = config_field(100, AT_LEAST_0, "epochs", seen_by="plan", open_choice=_LENGTH)
    """Total length, in epochs. The paper does not state it."""

    reconstruction_only_epochs: int = config_field(
        20, AT_LEAST_0, "epochs", paper="3.2", seen_by="plan"
    )
    """Epochs of reconstruction only, before the two tasks start to alternate."""

    alternation_period: int = config_field(5, AT_LEAST_1, "epochs", paper="3.2", seen_by="plan")
    """Epochs spent on one task before switching to the other."""

    ssim_layers: tuple[int, ...] = config_field((11, 12), AT_LEAST_1, "blocks", paper="3.2")
    """The set L of equation 3: encoder blocks compared by SSIM, counted from 1."""

    ssim_window: int = config_field(7, ODD, "tokens", open_choice=_WINDOW)
    """Side of the SSIM window, in tokens. The paper does not state it."""

    perceptual_weight: float = config_field(1.0, AT_LEAST_0, paper="3.2, eq. 5", open_choice=_MEAN)
    """Weight of L_P in equation 5; the paper adds the two losses as they are."""

    pixel_weight: float = config_field(1.0, AT_LEAST_0, paper="3.2, eq. 5", open_choice=_MEAN)
    """Weight of L_MSE in equation 5."""

    positive_weight: float = config_field(
        1.0, ABOVE_0, paper="3.2, eq. 6", open_choice=_FEW_PATCHES
    )
    """Weight of anomalous patches in equation 6; the paper weights all patches equally."""

    encoder_lr: float = config_field(1e-5, AT_LEAST_0, open_choice=_RATES)
    """Peak learning rate of the encoder. The paper does not state it."""

    head_lr: float = config_field(5e-4, ABOVE_0, open_choice=_RATES)
    """Peak learning rate of the two heads. The paper does not state it."""

    weight_decay: float = config_field(0.05, AT_LEAST_0, open_choice=_OPTIMISER)
    """AdamW's weight decay. The paper does not state it."""

    warmup_share: float = config_field(0.05, SHARE_BELOW_1, seen_by="plan", open_choice=_OPTIMISER)
    """Share of the training spent on the linear warm-up of the learning rates from 0."""

    schedule: FinetuneSchedule = config_field("epochs", seen_by="plan", open_choice=_OPTIMISER)
    """Learning rate schedule after the warm-up (not in the paper). `epochs`: a cosine over the
    epochs, so that the reconstruction-only epochs do not depend on `alternation_period` and trials
    with different periods share them. `iterations`: a cosine over the iterations, however they are
    spread over the epochs. `constant`: the peak throughout, without warm-up; a longer training can
    then also continue from a shorter one."""

    grad_clip: float = config_field(1.0, ABOVE_0, open_choice=_OPTIMISER)
    """Maximum gradient norm, over all parameters."""

    batch_size: int = config_field(16, AT_LEAST_1, "samples", open_choice=_PATCH_EPOCH)
    """Samples per iteration."""

    trainable_blocks: int | None = config_field(
        None, AT_LEAST_0, "blocks", open_choice=_WHAT_LEARNS
    )
    """How many of the last blocks are trained, with the final norm; 0: only the heads. None: all
    parameters, including the patch and position embeddings, as in the paper."""

    layer_decay: float = config_field(1.0, SHARE_ABOVE_0, open_choice=_RATES)
    """Layer-wise decay: factor on the encoder's learning rate from each block to the one before
    it. 1: the same rate everywhere."""

    patch_anchor_weight: float = config_field(0.0, AT_LEAST_0, open_choice=_ANCHOR)
    """Weight of L_P in patch classification, on the anomalous samples without their anomalous
    patches. The paper uses L_P in reconstruction only."""

    patch_coverage: float = config_field(0.0, SHARE, open_choice=_PATCH_LABEL)
    """Share of a patch's pixels that must be anomalous for the patch to be; 0: any pixel."""

    patch_head: Head = config_field("linear", open_choice=_HEADS)
    """Architecture of H_patch. The paper does not state it."""

    patch_head_blocks: tuple[int, ...] = config_field((), AT_LEAST_1, "blocks", open_choice=_HEADS)
    """Blocks, counted from 1, whose mean tokens feed H_patch through a LayerNorm; empty: the tokens
    after the final norm. The paper does not state where the head is attached."""

    patch_steps_per_epoch: int | None = config_field(
        None, AT_LEAST_1, "iterations", open_choice=_PATCH_EPOCH
    )
    """Iterations per epoch of patch classification; None: one pass over the anomalous samples."""

    reconstruction_head: Head = config_field("linear", open_choice=_HEADS)
    """Architecture of H_RC. The paper does not state it."""

    reconstruction_head_blocks: tuple[int, ...] = config_field(
        (), AT_LEAST_1, "blocks", open_choice=_HEADS
    )
    """As `patch_head_blocks`, for H_RC."""

    synthetic_defects: SyntheticDefects = config_field("when_needed", open_choice=_DRAWN_DEFECTS)
    """`when_needed`: only for a part without training defects, drawn once for all epochs.
    `always`: synthetic defects make up `synthetic_share` of every patch classification batch, drawn
    afresh in every epoch."""

    synthetic_share: float = config_field(0.5, SHARE, open_choice=_DRAWN_DEFECTS)
    """Share of synthetic defects in a batch with `synthetic_defects: always`; 1: no real ones."""

    flip: bool = config_field(False, open_choice=OTHER_AUGMENTATION)
    """Whether fine-tuning flips and transposes its images, in one of the eight ways per batch, for
    all parts (`decoder.flip`: the decoder's training). The paper does not."""

    brightness_jitter: float = added_later(
        config_field(0.0, SHARE_BELOW_1, open_choice=OTHER_AUGMENTATION), reference=0.0
    )
    """Largest change of brightness: fine-tuning multiplies all grey levels of a batch by one factor
    from 1 - this to 1 + this. 0: none, as in the paper."""

    leave_out_masked_patches: bool = added_later(config_field(False), reference=False)
    """Whether patches that the black mask touches are left out of the losses of both tasks, as
    `postprocess.leave_out_masked_patches`, to be used with it, leaves them out of the maps. The
    encoder still sees them. The paper trains on all."""

    tuned_share: float = config_field(1.0, SHARE, seen_by="end", open_choice=_KEPT_CHANGE)
    """Interpolation, after fine-tuning, between the pretrained (0) and the tuned weights (1)
    (WiSE-FT, Wortsman et al. 2022). 1: the tuned weights, as in the paper."""

    def __post_init__(self) -> None:
        require_ranges(self)
        require(
            self.reconstruction_only_epochs <= self.epochs,
            f"reconstruction_only_epochs is {self.reconstruction_only_epochs}, "
            f"more than epochs ({self.epochs})",
        )
        require(len(self.ssim_layers) >= 1, "ssim_layers is []; give at least one block")
        for name in ("ssim_layers", "patch_head_blocks", "reconstruction_head_blocks"):
            blocks = getattr(self, name)
            require(len(set(blocks)) == len(blocks), f"{name} is {list(blocks)}; each block once")

    @property
    def alters_images(self) -> bool:
        """Whether images are augmented by more than the rotation of `augment`."""
        return self.flip or self.brightness_jitter > 0

    @property
    def encoder_blocks(self) -> dict[str, tuple[int, ...]]:
        """Setting -> the encoder blocks that it names."""
        blocks = {
            "ssim_layers": self.ssim_layers,
            "patch_head_blocks": self.patch_head_blocks,
            "reconstruction_head_blocks": self.reconstruction_head_blocks,
            "trainable_blocks": (self.trainable_blocks,) if self.trainable_blocks else (),
        }
        return {name: found for name, found in blocks.items() if found}
