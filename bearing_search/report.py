"""A search's settings as a leaderboard, in words that the data can support."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bearing_search.conclusions import (
    conclusions,
    interval_text,
    knob_lines,
    micro_batch_lines,
)
from bearing_search.config import TrialConfig, parse
from bearing_search.intervals import Interval
from bearing_search.journal import JOURNAL, last_values
from bearing_search.knobs import Tuning
from bearing_search.measurement import OBJECTIVE
from bearing_search.observer import TrialRecord, trial_folder
from bearing_search.openings import Openings, openings
from bearing_search.seeds import SeedNoise, seed_noise
from bearing_search.selection import Entry, Searched, Selection, select


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """What is said about the settings of one sweep, or of several."""

    selection: Selection
    synthetic_parts: Sequence[str]
    """Parts without defects in train, whose held-out defects were drawn."""

    openings: Openings
    """Of the test set."""

    noise: SeedNoise | None = None
    """None where no setting was run under a second seed."""

    notes: Sequence[str] = ()
    """What else every page must say."""


def leaderboard(
    sweep: Path,
    records: Sequence[TrialRecord],
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Leaderboard | None:
    """Rank the complete settings of a sweep on the same held-out samples.

    Returns:
        None while no trial is complete.
    """
    return joint_leaderboard([Searched(name="", folder=sweep, records=records)], on_progress)


def joint_leaderboard(
    sweeps: Sequence[Searched], on_progress: Callable[[int, int], None] = lambda done, total: None
) -> Leaderboard | None:
    """Rank the settings of several sweeps that share data, folds and protocol."""
    sweeps = [_with_costs(sweep) for sweep in sweeps]
    scored = [(sweep.folder, trial.number) for sweep in sweeps for trial in sweep.scored]
    if not scored:
        return None
    selection = select(sweeps, trial_config(*scored[0]).protocol, on_progress=on_progress)
    assert selection is not None
    looks = [openings(sweep.folder) for sweep in sweeps]
    return Leaderboard(
        selection=selection,
        synthetic_parts=_synthetic_parts(trial_folder(*scored[0])),
        openings=Openings(sum(look.times for look in looks), max(look.last for look in looks)),
        noise=seed_noise([record for sweep in sweeps for record in sweep.records]),
    )


def trial_config(sweep: Path, number: int) -> TrialConfig:
    """The config of a trial, as it was run."""
    file = trial_folder(sweep, number) / "config.json"
    return parse(TrialConfig, json.loads(file.read_text(encoding="utf-8")))


def markdown(sweep: str, board: Leaderboard, question: str, tuning: Tuning | None = None) -> str:
    """The leaderboard as a page.

    Args:
        tuning: what post-processing could gain for the setting to use.
    """
    chosen = board.selection.chosen
    lines = [
        f"# {sweep}",
        "",
        *([question, ""] if question else []),
        f"To use: {chosen.title}, {OBJECTIVE} {interval_text(chosen.value)} "
        f"(95 % interval over groups; one score for everything reaches "
        f"{board.selection.floor:.3f}).",
        "",
        *said_of(board),
        "",
        *([*knob_lines(tuning), ""] if tuning else []),
        f"| trial | {OBJECTIVE} | val/image_auroc | | settings | seeds | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(_row(board, entry) for entry in board.selection.entries),
    ]
    return "\n".join(lines) + "\n"


def said_of(board: Leaderboard) -> list[str]:
    """What the data shows, what it does not, and how far it reaches; a sentence or two a line."""
    drawn, saved = _caveats(board), _saved(board.selection)
    noise = [board.noise.text] if board.noise else []
    fixed = [board.openings.text, *board.notes]
    split = micro_batch_lines(board.selection)
    return [*conclusions(board.selection), *noise, *drawn, *split, *saved, *fixed]


def end_of_sweep(sweep: str, board: Leaderboard, *, program: str, flag: str) -> str:
    """What is said on the terminal when a sweep has reached its target.

    Args:
        program: how this program is called on the user's command line.
        flag: ` --results DIR` where it is not the default.
    """
    chosen = board.selection.chosen
    settings = [f"  {path:34} {value_text(v)}" for path, v in chosen.trials[0].suggestion.items()]
    return "\n".join(
        [
            "",
            f"To use, of {len(board.selection.entries)} complete settings: {chosen.title}",
            *settings,
            f"  {OBJECTIVE:34} {interval_text(chosen.value)}   "
            f"(95 % interval; floor {board.selection.floor:.3f})",
            *said_of(board),
            "",
            f"Compare the runs:    {program} ui{flag}",
            f"Score it on test:    {program} evaluate {sweep}{flag}",
        ]
    )


def value_text(value: Any) -> str:
    """A setting's value, floats to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


def as_json(board: Leaderboard) -> Mapping[str, Any]:
    """The leaderboard for programs; NaN is null."""
    selection = board.selection
    return {
        "winner": _entry_json(selection.chosen),
        "floor": selection.floor,
        "seed_deviation": _number(selection.seed_deviation),
        "settings": [_entry_json(entry) for entry in selection.entries],
        "gain_over_default": {
            selection.entries[n].title: _interval_json(gain) for n, gain in selection.gains.items()
        },
        "groups": {
            part: {"normal": normal, "anomalous": anomalous}
            for part, (normal, anomalous) in selection.groups.items()
        },
        "synthetic_parts": list(board.synthetic_parts),
        "test_opened": {"times": board.openings.times, "last": board.openings.last},
        "conclusions": said_of(board),
    }


def _with_costs(sweep: Searched) -> Searched:
    """What its trials cost, shared stages included: a duration does not tell."""
    records = [
        record.with_costs(last_values(trial_folder(sweep.folder, record.number) / JOURNAL))
        for record in sweep.records
    ]
    return replace(sweep, records=records)


def _saved(selection: Selection) -> list[str]:
    trials = [trial for entry in selection.entries for trial in entry.trials]
    computed, saved = (
        sum(getattr(trial, name) or 0.0 for trial in trials) / 60
        for name in ("computed_s", "saved_s")
    )
    if not saved:
        return []
    return [
        f"Stages took {computed:.1f} minutes of compute; sharing them between trials saved "
        f"{saved:.1f} more."
    ]


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "sweep": entry.folder.name,
        "trials": [trial.number for trial in entry.trials],
        "suggestion": dict(entry.trials[0].suggestion),
        OBJECTIVE: _interval_json(entry.value),
        "val/image_auroc": _interval_json(entry.image_auroc),
        "tied": entry.is_tied,
        "default": entry.is_default,
        "seconds": _number(entry.cost_s),
    }


def _interval_json(interval: Interval) -> dict[str, float | None]:
    return {name: _number(getattr(interval, name)) for name in ("value", "low", "high")}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _row(board: Leaderboard, entry: Entry) -> str:
    mark = "tied" if entry.is_tied else ""
    if entry is board.selection.chosen:
        mark = "to use"
    settings = ", ".join(
        f"{path.rpartition('.')[2]} {value_text(value)}"
        for path, value in entry.trials[0].suggestion.items()
    )
    cells = (
        entry.title.removeprefix("trial ") + (" (default)" if entry.is_default else ""),
        interval_text(entry.value),
        interval_text(entry.image_auroc),
        mark,
        settings,
        str(len(entry.trials)),
        f"{entry.cost_s:.0f}" if math.isfinite(entry.cost_s) else "",
    )
    return f"| {' | '.join(cells)} |"


def _synthetic_parts(trial: Path) -> list[str]:
    prefix = "defects/"
    tags: dict[str, str] = {}
    for file in trial.glob("*/*/unit.json"):
        tags |= json.loads(file.read_text("utf-8"))["tags"]
    drawn = (name for name, found in tags.items() if found == "synthetic")
    return sorted(name.removeprefix(prefix) for name in drawn if name.startswith(prefix))


def _caveats(board: Leaderboard) -> list[str]:
    if not board.synthetic_parts:
        return []
    return [
        f"The held-out defects of {', '.join(board.synthetic_parts)} were drawn, since train has "
        "none: these scores rank settings, they are no detection rates."
    ]
