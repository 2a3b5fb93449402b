"""The content of `threshold.json`: what `export` takes, with its evidence (docs/threshold.md)."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bearing_search.analysis.contracts.contract import Contract
from bearing_search.analysis.contracts.judged_part import JudgedPart
from bearing_search.analysis.contracts.settings import ErrorRate, Setting
from bearing_search.analysis.postprocess_settings import PostprocessSetting
from bearing_search.filesystem.stored_file import read_json_object

SCHEMA = 1
"""Version of the file's layout."""

FILE = "threshold.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the thresholds belong to; another source replaces the whole file."""

    sweep: str
    trial: int
    config_digest: str
    """Of the trial's config."""

    data_digest: str
    """Of the training files."""

    setting: PostprocessSetting
    """How maps and scores are made."""

    trials_compared: int
    """Complete trials of the sweep, among which this one was chosen by the same samples."""

    @property
    def content(self) -> dict[str, Any]:
        """The source, as stored."""
        plain = asdict(self)
        setting = plain.pop("setting")
        setting["postprocess"]["layer_weights"] = list(setting["postprocess"]["layer_weights"])
        return {"schema": SCHEMA, **plain, **setting}


def stored(file: Path, source: Source, parts: Mapping[str, JudgedPart]) -> dict[str, Any]:
    """Content of the file: these parts, and those of the same source that it holds already.

    Raises:
        DamagedFileError: an existing file cannot be read.
    """
    kept: dict[str, Any] = {}
    identity = source.content
    if file.exists():
        old = read_json_object(file)
        if all(old.get(k) == v for k, v in identity.items() if k != "trials_compared"):
            kept = old.get("parts", {})
    found = {name: part_content(one) for name, one in parts.items()}
    return {**identity, "parts": dict(sorted({**kept, **found}.items()))}


def part_content(judged: JudgedPart) -> dict[str, Any]:
    """One part's contract, thresholds and evidence."""
    decision, groups = judged.decision, judged.groups
    chosen = decision.chosen
    return {
        "contract": _contract(decision.contract),
        "unit": judged.unit,
        "reinspect_from": chosen.reinspect_from,
        "ng_from": chosen.ng_from,
        "models": {
            key: {
                **asdict(scale),
                "reinspect_from": scale.score_of(chosen.reinspect_from),
                "ng_from": scale.score_of(chosen.ng_from),
            }
            for key, scale in judged.scales.items()
        },
        "evidence": {
            "chosen": _setting(chosen),
            "tighter": _setting(decision.tighter),
            "looser": _setting(decision.looser),
            "errors_allowed": decision.allowed,
            "other_side_needs": decision.other_needs,
            "cost": decision.cost,
            "cost_bound": decision.cost_bound,
            "defect_share": decision.defect_share,
            "no_roi": judged.no_roi,
            "has_drawn_defects": judged.has_drawn_defects,
            "groups": [
                {"group": name, "kind": kind, "score": score, "p_value": p}
                for name, kind, score, p in zip(
                    groups.names,
                    judged.kinds,
                    groups.scores.tolist(),
                    judged.p_values.tolist(),
                    strict=True,
                )
            ],
            "wrong": [
                {
                    "group": one.group,
                    "error": "miss" if one.is_anomalous else "overkill",
                    "verdict": one.verdict,
                    "score": one.score,
                    "samples": [title for _, title in one.samples],
                }
                for one in judged.wrong
            ],
        },
    }


def _contract(contract: Contract) -> dict[str, Any]:
    return {
        "max_miss": contract.max_miss,
        "max_overkill": contract.max_overkill,
        "cost": asdict(contract.costs) if contract.costs else None,
        "confidence": contract.confidence,
        "reinspect": contract.reinspect,
        "views": contract.views.name,
    }


def _setting(setting: Setting | None) -> dict[str, Any] | None:
    if setting is None:
        return None
    return {
        "reinspect_from": setting.reinspect_from,
        "ng_from": setting.ng_from,
        "miss": _rate(setting.miss),
        "overkill": _rate(setting.overkill),
        "normal_in_band": _rate(setting.normal_in_band),
        "defective_in_band": setting.defective_in_band,
    }


def _rate(found: ErrorRate) -> dict[str, Any]:
    return {
        "errors": found.errors,
        "groups": found.groups,
        "rate": None if math.isnan(found.rate) else found.rate,
        "bound": found.bound,
    }
