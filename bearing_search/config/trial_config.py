"""Config of a trial: how it is validated, preprocessed, trained and scored."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeVar

from bearing_search.config.augmentation import AugmentConfig
from bearing_search.config.detector_table import DETECTORS, require_detector
from bearing_search.config.detectors.decoders import DecoderConfig
from bearing_search.config.digest import config_digest, setting_digest
from bearing_search.config.encoder import EncoderConfig
from bearing_search.config.fields import (
    SHARE_ABOVE_0,
    STRICT_KEYS,
    OpenChoice,
    Range,
    added_later,
    config_field,
    references_of,
    require,
    require_ranges,
)
from bearing_search.config.finetuning import FinetuneConfig
from bearing_search.config.postprocess import PostprocessConfig
from bearing_search.config.preprocess import PreprocessConfig
from bearing_search.config.reference_values import LATER_SETTINGS

Scope = Literal["per_part", "multi_part"]
"""Whether each part gets its own encoder and detector, or all parts share one of each."""

Fusion = Literal["channels", "score_mean", "score_max"]
"""How the brightness images of a sample are combined into one anomaly map."""

_SCOPE = OpenChoice(
    "one model for all parts, or one per part",
    "one encoder and one decoder per part",
    paper="a table with a row per part",
)
_VALIDATION = OpenChoice(
    "validation",
    "grouped, stratified folds of train, as many as the anomalous groups allow, at most 5",
    paper="none: train and test only",
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """Grouped, stratified k-fold split of train. Test is never part of it."""

    __pydantic_config__ = STRICT_KEYS

    folds: int | None = config_field(
        None, Range(at_least=2, at_most=100), "folds", open_choice=_VALIDATION
    )
    """Number of folds; each is held out once. None: as many as a part's anomalous groups allow, at
    most 5 (3 if train has no defects). The paper has no validation at all."""

    seed: int = 0
    """Seed for assigning groups to folds."""

    def __post_init__(self) -> None:
        require_ranges(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolConfig:
    """How anomaly maps are scored. Stored with every result, never searched."""

    __pydantic_config__ = STRICT_KEYS

    map_px: int = config_field(256, Range(at_least=8), "px")
    """Side of the map on which pixels are scored; a map pixel is anomalous if the mask marks any
    part of it."""

    fpr_limit: float = config_field(0.3, SHARE_ABOVE_0)
    """False positive rate up to which AUPRO integrates."""

    drawn_defect_px: tuple[float, float] | None = added_later(
        config_field(None, unit="px"), reference=None
    )
    """Smallest and largest side (root of the area) of the defects that are drawn where a part has
    none in train, in pixels of the original image. None: as in the masks of the other parts of
    train, or, where there are none, 4 px to a tenth of the image's shorter side."""

    def __post_init__(self) -> None:
        require_ranges(self)
        low, high = self.drawn_defect_px or (1, 1)
        require(
            0 < low <= high,
            f"drawn_defect_px is [{low:g}, {high:g}]; two lengths above 0, the smaller first",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialConfig:
    """Everything that can change the outcome of one trial, and nothing else."""

    __pydantic_config__ = STRICT_KEYS

    parts: tuple[str, ...] = ()
    """Parts to train and score; empty: every part."""

    scope: Scope = config_field("per_part", open_choice=_SCOPE)
    """`per_part`: each part has its own encoder and detector. `multi_part`: all parts share one
    encoder and one detector. Either way, ROIs and scores are per part, and the objective is the
    mean over parts. The paper does not say which of the two it used."""

    seed: int = 0
    """Seed of initial weights, batches, dropout and synthetic defects."""

    detector: str = config_field("dinomaly", paper="4.1")
    """Name of the anomaly detector, from `DETECTORS`."""

    fusion: Fusion = config_field("channels", paper="3.1")
    """`channels`: the three brightness images are the channels of one input (the paper).
    `score_mean`, `score_max`: each is a separate input, repeated in all three channels, and the
    anomaly maps are combined by their mean or maximum."""

    split: SplitConfig = field(default_factory=SplitConfig)
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    sections: tuple[Any, ...] = ()
    """Detector settings that differ from the defaults, ordered by detector name. In text form,
    every detector of the table has a section of its name instead."""

    postprocess: PostprocessConfig = field(default_factory=PostprocessConfig)
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)

    def __post_init__(self) -> None:
        require_detector(self.detector)
        require(
            self.postprocess.leave_out_masked_patches or not self.decoder.leave_out_masked_patches,
            "decoder.leave_out_masked_patches is true, but postprocess.leave_out_masked_patches is "
            "not: patches that no decoder was trained on would seem the most anomalous; set both, "
            "and postprocess.margin_px (0 for no rim)",
        )
        given = {type(section): section for section in self.sections}
        require(len(given) == len(self.sections), f"sections has a duplicate: {self.sections}")
        known = {name: DETECTORS[name].config for name in sorted(DETECTORS)}
        unknown = [kind.__name__ for kind in given if kind not in known.values()]
        require(not unknown, f"sections has {', '.join(unknown)}, which no entry of DETECTORS uses")
        kept = (given[kind] for kind in known.values() if kind in given and given[kind] != kind())
        object.__setattr__(self, "sections", tuple(kept))

    def section_of(self, kind: type[T]) -> T:
        """Settings of the detector with that dataclass; the defaults if none are set."""
        return next((one for one in self.sections if type(one) is kind), kind())

    def with_section(self, section: Any) -> "TrialConfig":
        """A copy with the settings of one detector replaced."""
        others = tuple(one for one in self.sections if type(one) is not type(section))
        return replace(self, sections=(*others, section))

    @property
    def encoder_blocks(self) -> dict[str, tuple[int, ...]]:
        """Setting -> the vision transformer blocks that it names."""
        blocks = {}
        if self.finetune.epochs:
            blocks = {f"finetune.{n}": found for n, found in self.finetune.encoder_blocks.items()}
        spec = DETECTORS[self.detector]
        section = self.section_of(spec.config)
        for name in spec.encoder_blocks:
            found = getattr(section, name)
            blocks[f"{self.detector}.{name}"] = found if isinstance(found, tuple) else (found,)
        return blocks

    def turns_images_of(self, part: str) -> bool:
        """Whether any of its trainings rotates, flips or transposes the images of a part."""
        spec, is_tuned = DETECTORS[self.detector], self.finetune.epochs > 0
        trains_decoder = "decoder" not in spec.unread
        is_rotated = self.augment.rotation_deg > 0 and part in self.augment.rotated_parts
        return (not self.parts or part in self.parts) and (
            (is_rotated and (is_tuned or trains_decoder))
            or (self.finetune.flip and is_tuned)
            or (self.decoder.flip and trains_decoder)
        )

    @property
    def digest(self) -> str:
        """Hex digits that identify this config, in the latest scheme (see `config.digest`).

        A sweep may use an older scheme: `SweepRecord.config_digest`.
        """
        return config_digest(to_plain(self))

    @property
    def setting(self) -> str:
        """Hex digits that identify this config without its seed, in the latest scheme."""
        return setting_digest(to_plain(self))


def to_plain(config: Any) -> dict[str, Any]:
    """A config as nested mappings of JSON types, which `parse` reads back."""
    found = asdict(config)
    if isinstance(config, TrialConfig):
        del found["sections"]
        found |= {n: asdict(config.section_of(spec.config)) for n, spec in DETECTORS.items()}
    plain: dict[str, Any] = json.loads(json.dumps(found, sort_keys=True))
    return plain


def _later_settings() -> dict[str, Any]:
    found = references_of(TrialConfig)
    for name, spec in DETECTORS.items():
        found |= {f"{name}.{path}": value for path, value in references_of(spec.config).items()}
    return found


LATER_SETTINGS.update(_later_settings())
