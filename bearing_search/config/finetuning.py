"""Multi-task fine-tuning of the encoder (paper, section 3.2)."""

from dataclasses import dataclass
from typing import Literal

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
    config_field,
    require,
    require_ranges,
)

Head = Literal["linear", "mlp"]
"""A head's form: one linear map, or a hidden layer of the encoder's width with GELU before it."""

SyntheticDefects = Literal["when_needed", "always"]
"""When defects are drawn onto normal samples for patch classification."""

FinetuneSchedule = Literal["iterations", "epochs", "constant"]
"""What the learning rates follow after their warm-up."""

_LENGTH = OpenChoice("length of the fine-tuning", "100 epochs")
_OPTIMISER = OpenChoice(
    "optimiser of the fine-tuning",
    "AdamW, weight decay .05, cosine over epochs with 5 % warm-up, gradient norm 1",
    source="usual for vision transformers",
)
_RATES = OpenChoice(
    "its learning rates",
    "encoder 1e-5, the same for all blocks; heads 5e-4",
    source="ours; decay by layer as in BEiT",
)
_WHAT_LEARNS = OpenChoice(
    "what of the encoder learns",
    "everything, the embedding too",
    paper="EN_train starts as a copy of EN_pre",
)
_KEPT_CHANGE = OpenChoice(
    "what of the change is kept",
    "all of it",
    paper="all of it, it seems",
    source="Wortsman et al. 2022 (WiSE-FT) for less",
)
_WINDOW = OpenChoice(
    "SSIM window",
    "7 tokens, Gaussian of sigma 1.5, whole windows only",
    source="Wang et al. 2004, fitted to the grid",
)
_MEAN = OpenChoice(
    "sum or mean in equation 4",
    "mean: the sum is 602,112 times as large at 448 px and would drown L_P",
    paper="the squared sum",
    source="measured",
)
_ANCHOR = OpenChoice(
    "whether L_P holds patch classification too",
    "no; where it does, patches with an anomalous pixel are let go",
    paper="L_P is part of L_RC",
)
_HEADS = OpenChoice(
    "form and place of the heads",
    "a linear map each, on patch tokens after the final norm",
    paper="a reconstruction head and a patch head",
)
_PATCH_LABEL = OpenChoice(
    "when a patch is anomalous",
    "one anomalous pixel is enough: dents are smaller than a patch",
    paper="labels per patch",
)
_FEW_PATCHES = OpenChoice(
    "weight of the few anomalous patches",
    "as the paper: 1",
    paper="cross entropy over all patches",
    source="equation 6",
)
_PATCH_EPOCH = OpenChoice(
    "length of an epoch of patch classification", "one pass over the anomalous samples"
)
_DRAWN_DEFECTS = OpenChoice(
    "no anomalous training sample",
    "defects are drawn (cut-paste, scars, blobs), and the trial is tagged",
    paper="every part has some",
    source="CutPaste, DRAEM",
)
_AUGMENTATION = OpenChoice(
    "other augmentation",
    "none; fine-tuning can mirror and transpose its batches",
    paper="rotation alone",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneConfig:
    """Multi-task fine-tuning of the encoder (paper, section 3.2). `epochs: 0` keeps EN_pre."""

    __pydantic_config__ = STRICT_KEYS

    epochs: int = config_field(100, AT_LEAST_0, "epochs", seen_by="plan", open_choice=_LENGTH)
    """Total length, in epochs. The paper does not state it."""

    reconstruction_only_epochs: int = config_field(
        20, AT_LEAST_0, "epochs", paper="3.2", seen_by="plan"
    )
    """Epochs of reconstruction alone, before the two tasks start to alternate."""

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
    """Weight of anomalous patches in equation 6; the paper weighs all patches alike."""

    encoder_lr: float = config_field(1e-5, AT_LEAST_0, open_choice=_RATES)
    """Peak learning rate of the encoder. The paper does not state it."""

    head_lr: float = config_field(5e-4, ABOVE_0, open_choice=_RATES)
    """Peak learning rate of the two heads. The paper does not state it."""

    weight_decay: float = config_field(0.05, AT_LEAST_0, open_choice=_OPTIMISER)
    """AdamW's weight decay. The paper does not state it."""

    warmup_share: float = config_field(0.05, SHARE_BELOW_1, seen_by="plan", open_choice=_OPTIMISER)
    """Share of the training during which the learning rates rise from 0."""

    schedule: FinetuneSchedule = config_field("epochs", seen_by="plan", open_choice=_OPTIMISER)
    """What the learning rates follow after their warm-up (not in the paper). `epochs`: a cosine
    over the epochs, so that those of reconstruction alone are the same whatever the alternation
    after them, and all its periods share them. `iterations`: a cosine over the iterations, however
    they are spread over the epochs. `constant`: the peak throughout, without warm-up; then a longer
    training also goes on from a shorter one."""

    grad_clip: float = config_field(1.0, ABOVE_0, open_choice=_OPTIMISER)
    """Largest norm of the gradient, over all parameters together."""

    batch_size: int = config_field(16, AT_LEAST_1, "samples", open_choice=_PATCH_EPOCH)
    """Samples of one iteration."""

    trainable_blocks: int | None = config_field(
        None, AT_LEAST_0, "blocks", open_choice=_WHAT_LEARNS
    )
    """How many of the last blocks learn, with the final norm; 0: the heads alone. None: everything,
    the embedding of patches and positions too, as in the paper."""

    layer_decay: float = config_field(1.0, SHARE_ABOVE_0, open_choice=_RATES)
    """Factor on the encoder's learning rate from each block to the one before it. 1: one rate."""

    patch_anchor_weight: float = config_field(0.0, AT_LEAST_0, open_choice=_ANCHOR)
    """Weight of L_P in patch classification, on the anomalous samples; their anomalous patches are
    left out of it. The paper has L_P in reconstruction alone."""

    patch_coverage: float = config_field(0.0, SHARE, open_choice=_PATCH_LABEL)
    """Share of a patch's pixels that must be anomalous to label it so; 0: any pixel is enough."""

    patch_head: Head = config_field("linear", open_choice=_HEADS)
    """Form of H_patch. The paper does not state it."""

    patch_head_blocks: tuple[int, ...] = config_field((), AT_LEAST_1, "blocks", open_choice=_HEADS)
    """Blocks, counted from 1, whose mean tokens H_patch reads, through a LayerNorm of its own;
    empty: the tokens after the final norm. The paper does not state where the head sits."""

    patch_steps_per_epoch: int | None = config_field(
        None, AT_LEAST_1, "iterations", open_choice=_PATCH_EPOCH
    )
    """Iterations of an epoch of patch classification; None: as many as one pass takes."""

    reconstruction_head: Head = config_field("linear", open_choice=_HEADS)
    """Form of H_RC. The paper does not state it."""

    reconstruction_head_blocks: tuple[int, ...] = config_field(
        (), AT_LEAST_1, "blocks", open_choice=_HEADS
    )
    """As `patch_head_blocks`, for H_RC."""

    synthetic_defects: SyntheticDefects = config_field("when_needed", open_choice=_DRAWN_DEFECTS)
    """`when_needed`: only for a part whose training side has no defect, once for all epochs.
    `always`: drawn defects fill `synthetic_share` of every batch of patch classification, anew in
    every epoch."""

    synthetic_share: float = config_field(0.5, SHARE, open_choice=_DRAWN_DEFECTS)
    """Share of drawn defects in a batch, where they are drawn always; 1 uses no real ones."""

    flip: bool = config_field(False, open_choice=_AUGMENTATION)
    """Whether fine-tuning mirrors and transposes its images, in one of the eight ways for a whole
    batch and for all parts; the detector's training does not. The paper does not."""

    tuned_share: float = config_field(1.0, SHARE, seen_by="end", open_choice=_KEPT_CHANGE)
    """How far the encoder keeps, at the end, the way that it went from its pretrained weights, in
    [0, 1] (weight interpolation, Wortsman et al. 2022, WiSE-FT). 1: all of it, as in the paper."""

    def __post_init__(self) -> None:
        require_ranges(self)
        require(
            self.reconstruction_only_epochs <= self.epochs,
            f"reconstruction_only_epochs is {self.reconstruction_only_epochs}, "
            f"more than all epochs ({self.epochs})",
        )
        require(len(self.ssim_layers) >= 1, "ssim_layers is []; at least one block, each once")
        for name in ("ssim_layers", "patch_head_blocks", "reconstruction_head_blocks"):
            blocks = getattr(self, name)
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
