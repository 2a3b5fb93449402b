"""What the paper leaves open, and what was chosen: shown in docs/method.md and by `reproduce`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpenChoice:
    """A question that the paper leaves open."""

    what: str
    paper: str
    """What the paper says about it."""

    choice: str
    """What is done here by default."""

    settings: tuple[str, ...]
    """Dotted paths that change it; none where it is fixed."""

    source: str
    """Where the choice comes from."""

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """As a row of a table."""
        return self.what, self.paper, self.choice, ", ".join(self.settings), self.source


CHOICES = "What the paper leaves open"
"""Title of the list."""

HEADER = ("question", "the paper says", "choice", "setting", "where it comes from")
_NOTHING = "nothing"
_OURS = "ours"

OPEN_CHOICES = (
    OpenChoice("length of the fine-tuning", _NOTHING, "100 epochs", ("finetune.epochs",), _OURS),
    OpenChoice(
        "which task opens the alternation",
        "20 epochs of reconstruction, then turns of 5",
        "patch classification: reconstruction has just had 20 epochs",
        (),
        _OURS,
    ),
    OpenChoice(
        "optimiser of the fine-tuning",
        _NOTHING,
        "AdamW, weight decay .05, cosine over epochs with 5 % warm-up, gradient norm 1",
        (
            *("finetune.weight_decay", "finetune.schedule", "finetune.warmup_share"),
            "finetune.grad_clip",
        ),
        "usual for vision transformers",
    ),
    OpenChoice(
        "its learning rates",
        _NOTHING,
        "encoder 1e-5, the same for all blocks; heads 5e-4",
        ("finetune.encoder_lr", "finetune.head_lr", "finetune.layer_decay"),
        "ours; decay by layer as in BEiT",
    ),
    OpenChoice(
        "what of the encoder learns",
        "EN_train starts as a copy of EN_pre",
        "everything, the embedding too",
        ("finetune.trainable_blocks",),
        _OURS,
    ),
    OpenChoice(
        "what of the change is kept",
        "all of it, it seems",
        "all of it",
        ("finetune.tuned_share",),
        "Wortsman et al. 2022 (WiSE-FT) for less",
    ),
    OpenChoice(
        "dynamic range of SSIM on features",
        _NOTHING,
        "each channel z-scored by the frozen map's statistics, range 6",
        (),
        "measured: the usual 255 makes L_P about 0",
    ),
    OpenChoice(
        "SSIM window",
        _NOTHING,
        "7 tokens, Gaussian of sigma 1.5, whole windows only",
        ("finetune.ssim_window",),
        "Wang et al. 2004, fitted to the grid",
    ),
    OpenChoice(
        "sum or mean in equation 4",
        "the squared sum",
        "mean: the sum is 602,112 times as large at 448 px and would drown L_P",
        ("finetune.pixel_weight", "finetune.perceptual_weight"),
        "measured",
    ),
    OpenChoice(
        "whether L_P holds patch classification too",
        "L_P is part of L_RC",
        "no; where it does, patches with an anomalous pixel are let go",
        ("finetune.patch_anchor_weight",),
        _OURS,
    ),
    OpenChoice(
        "form and place of the heads",
        "a reconstruction head and a patch head",
        "a linear map each, on patch tokens after the final norm",
        (
            "finetune.reconstruction_head",
            "finetune.reconstruction_head_blocks",
            "finetune.patch_head",
            "finetune.patch_head_blocks",
        ),
        _OURS,
    ),
    OpenChoice(
        "when a patch is anomalous",
        "labels per patch",
        "one anomalous pixel is enough: dents are smaller than a patch",
        ("finetune.patch_coverage",),
        _OURS,
    ),
    OpenChoice(
        "weight of the few anomalous patches",
        "cross entropy over all patches",
        "as the paper: 1",
        ("finetune.positive_weight",),
        "equation 6",
    ),
    OpenChoice(
        "length of an epoch of patch classification",
        _NOTHING,
        "one pass over the anomalous samples",
        ("finetune.patch_steps_per_epoch", "finetune.batch_size"),
        _OURS,
    ),
    OpenChoice(
        "no anomalous training sample",
        "every part has some",
        "defects are drawn (cut-paste, scars, blobs), and the trial is tagged",
        ("finetune.synthetic_defects", "finetune.synthetic_share"),
        "CutPaste, DRAEM",
    ),
    OpenChoice(
        "one model for all parts, or one each",
        "a table with a row per part",
        "one encoder and one decoder per part",
        ("scope",),
        _OURS,
    ),
    OpenChoice(
        "rotation while the decoder trains",
        "up to 15 degrees, LC and SC",
        "as for the encoder: one angle per batch",
        ("augment.rotation_deg", "augment.rotated_parts"),
        _OURS,
    ),
    OpenChoice(
        "other augmentation",
        "rotation alone",
        "none; fine-tuning can mirror and transpose its batches",
        ("finetune.flip",),
        _OURS,
    ),
    OpenChoice(
        "groups of the Dinomaly decoder",
        "describes one group",
        "two, as the official code has",
        ("dinomaly.groups",),
        "Dinomaly's code",
    ),
    OpenChoice(
        "whether PatchCore averages neighbouring patches",
        "has no PatchCore",
        "3x3 means of a convolutional network's features, as its authors; none of a transformer's",
        ("patchcore.neighbourhood",),
        "measured (docs/method.md)",
    ),
    OpenChoice(
        "what r_mean and the centre are estimated on",
        "the whole data set",
        "the training side of the fold; the whole set would leak test",
        (),
        _OURS,
    ),
    OpenChoice(
        "half side of the ring's crop",
        "the inner circle, which cuts the ring away",
        "the outer circle",
        ("preprocess.circle.crop_radius",),
        "ours (docs/roi.md)",
    ),
    OpenChoice(
        "validation",
        "none: train and test only",
        "grouped, stratified folds inside train, as many as the anomalous groups allow, at most 5",
        ("split.folds",),
        _OURS,
    ),
)


def markdown_table() -> str:
    """All choices as a table of Markdown, without an end of line."""
    rows = [HEADER, ("---",) * len(HEADER), *(choice.cells for choice in OPEN_CHOICES)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
