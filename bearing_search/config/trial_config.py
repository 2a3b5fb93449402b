"""A whole trial: how it is validated, prepared, trained and scored."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeVar

from bearing_search.config.augmentation import AugmentConfig
from bearing_search.config.detector_table import DETECTORS, require_detector
from bearing_search.config.detectors import DecoderConfig
from bearing_search.config.digest import config_digest, setting_digest
from bearing_search.config.encoder import EncoderConfig
from bearing_search.config.fields import (
    SHARE_ABOVE_0,
    STRICT_KEYS,
    OpenChoice,
    Range,
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
"""Whose samples one encoder and one detector learn from."""

Fusion = Literal["channels", "score_mean", "score_max"]
"""How the brightness images of a sample become one anomaly map."""

_SCOPE = OpenChoice(
    "one model for all parts, or one each",
    "one encoder and one decoder per part",
    paper="a table with a row per part",
)
_VALIDATION = OpenChoice(
    "validation",
    "grouped, stratified folds inside train, as many as the anomalous groups allow, at most 5",
    paper="none: train and test only",
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """Grouped, stratified k-fold inside the training split. Test is never part of it."""

    __pydantic_config__ = STRICT_KEYS

    folds: int | None = config_field(None, Range(at_least=2), "folds", open_choice=_VALIDATION)
    """Number of folds; each is held out once. None: as many as a part's anomalous groups allow, at
    most 5 (3 where train has no defects). The paper has no validation at all."""

    seed: int = 0
    """Seed of the assignment of groups to folds."""

    def __post_init__(self) -> None:
        require_ranges(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolConfig:
    """How maps are scored. Named, frozen, stored with every result, never searched."""

    __pydantic_config__ = STRICT_KEYS

    map_px: int = config_field(256, Range(at_least=8), "px")
    """Side of the map on which pixels are scored; a mask pixel counts where any part of it is."""

    fpr_limit: float = config_field(0.3, SHARE_ABOVE_0)
    """Where the integration of AUPRO stops."""

    def __post_init__(self) -> None:
        require_ranges(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialConfig:
    """Everything that can change the outcome of one trial, and nothing else."""

    __pydantic_config__ = STRICT_KEYS

    parts: tuple[str, ...] = ()
    """Parts to train and score; empty: every part."""

    scope: Scope = config_field("per_part", open_choice=_SCOPE)
    """`per_part`: each part has an encoder and a detector of its own. `multi_part`: one of both
    learns from all parts. Scores are per part, and their mean, either way; so is what finds the
    region of interest. The paper does not say which of the two it did."""

    seed: int = 0
    """Seed of initial weights, batches, dropout and synthetic defects."""

    detector: str = config_field("dinomaly", paper="4.1")
    """What finds anomalies in the encoder's tokens: a name of `DETECTORS`."""

    fusion: Fusion = config_field("channels", paper="3.1")
    """`channels`: the three brightness images are the channels of one input (the paper). Else each
    is an input of its own, in all three channels, and their maps are averaged, or the largest
    value counts."""

    split: SplitConfig = field(default_factory=SplitConfig)
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    sections: tuple[Any, ...] = ()
    """Settings of detectors, where they differ from the defaults, in the order of their names. As
    text, every detector of the table has a section of its own name here."""

    postprocess: PostprocessConfig = field(default_factory=PostprocessConfig)
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)

    def __post_init__(self) -> None:
        require_detector(self.detector)
        given = {type(section): section for section in self.sections}
        require(len(given) == len(self.sections), f"two of one kind in sections: {self.sections}")
        known = {name: DETECTORS[name].config for name in sorted(DETECTORS)}
        unknown = [kind.__name__ for kind in given if kind not in known.values()]
        require(not unknown, f"{', '.join(unknown)}: no detector of the table has such settings")
        kept = (given[kind] for kind in known.values() if kind in given and given[kind] != kind())
        object.__setattr__(self, "sections", tuple(kept))

    def section_of(self, kind: type[T]) -> T:
        """Settings of the detector whose dataclass that is; the defaults where nothing is set."""
        return next((one for one in self.sections if type(one) is kind), kind())

    def with_section(self, section: Any) -> "TrialConfig":
        """The same with other settings of one detector."""
        others = tuple(one for one in self.sections if type(one) is not type(section))
        return replace(self, sections=(*others, section))

    @property
    def encoder_blocks(self) -> dict[str, tuple[int, ...]]:
        """Blocks that are read of a vision transformer, by the setting that names them."""
        blocks = {}
        if self.finetune.epochs:
            blocks = {f"finetune.{n}": found for n, found in self.finetune.encoder_blocks.items()}
        spec = DETECTORS[self.detector]
        section = self.section_of(spec.config)
        for name in spec.encoder_blocks:
            found = getattr(section, name)
            blocks[f"{self.detector}.{name}"] = found if isinstance(found, tuple) else (found,)
        return blocks

    @property
    def digest(self) -> str:
        """Hex digits that name this config, in the latest scheme (see `config.digest`).

        A sweep may have an older one: `SweepRecord.config_digest`.
        """
        return config_digest(to_plain(self))

    @property
    def setting(self) -> str:
        """Hex digits that name this config without its seed, in the latest scheme."""
        return setting_digest(to_plain(self))


def to_plain(config: Any) -> dict[str, Any]:
    """A config as nested mappings of JSON's own types: what `parse` reads back."""
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
