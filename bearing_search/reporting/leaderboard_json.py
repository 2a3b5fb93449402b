"""The leaderboard as JSON."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bearing_search.analysis.intervals import Interval
from bearing_search.analysis.ranked_setting import RankedSetting
from bearing_search.measurement import IMAGE_OBJECTIVE
from bearing_search.reporting.leaderboard import Leaderboard, said_of


def as_json(board: Leaderboard) -> Mapping[str, Any]:
    """The leaderboard as JSON-like values; None for NaN and infinity."""
    selection, objective = board.selection, board.selection.objective
    return {
        "winner": _entry_json(selection.chosen, objective) if selection.chosen else None,
        "saving": asdict(selection.saving) if selection.saving else None,
        "objectives": [str(one) for one in board.objective_spec.objectives],
        "constraints": [str(one) for one in board.objective_spec.constraints],
        "pareto": [_entry_json(entry, objective) for entry in board.front],
        "floor": selection.floor,
        "seed_deviation": _number(selection.seed_deviation),
        "settings": [_entry_json(entry, objective) for entry in selection.entries],
        "gain_over_default": {
            selection.entries[n].title: _interval_json(gain) for n, gain in selection.gains.items()
        },
        "groups": {
            part: {"normal": normal, "anomalous": anomalous}
            for part, (normal, anomalous) in selection.groups.items()
        },
        "synthetic_parts": list(board.synthetic_parts),
        "unmasked_parts": list(board.unmasked_parts),
        "test_opened": {"times": board.test_access.times, "last": board.test_access.last},
        "conclusions": said_of(board),
    }


def _entry_json(entry: RankedSetting, objective: str) -> dict[str, Any]:
    image_auroc = _interval_json(entry.image_auroc)
    return {
        "sweep": entry.folder.name,
        "trials": [trial.number for trial in entry.trials],
        "suggestion": dict(entry.trials[0].suggestion),
        objective: _interval_json(entry.value),
        **({} if objective == IMAGE_OBJECTIVE else {IMAGE_OBJECTIVE: image_auroc}),
        "tied": entry.is_tied,
        "comparable": entry.is_comparable,
        "drawn_defects": list(entry.defects.parts),
        "drawing": entry.defects.drawing,
        "default": entry.is_default,
        "scores": {name: _number(score) for name, score in entry.judged.scores.items()},
        "feasible": entry.judged.is_feasible,
        "seconds": _number(entry.cost_s),
        "gflop_per_sample": entry.use.gflop if entry.use else None,
        "megabytes": entry.use.megabytes if entry.use else None,
    }


def _interval_json(interval: Interval) -> dict[str, float | None]:
    return {name: _number(getattr(interval, name)) for name in ("value", "low", "high")}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
