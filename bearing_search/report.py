"""A sweep's trials as a leaderboard, with the intervals that say what it may claim."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bearing_search.comparison import (
    Units,
    are_comparable,
    difference_intervals,
    mean_floor,
    score_intervals,
)
from bearing_search.config import ProtocolConfig, TrialConfig, parse
from bearing_search.intervals import Interval
from bearing_search.measurement import OBJECTIVE
from bearing_search.observer import TrialRecord, best_of, trial_folder
from bearing_search.stages.scored import unit_scores

_NAME = OBJECTIVE.partition("/")[2]
_COMPARED = 8
"""How many of the best trials are compared with the best one, sample by sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """The complete trials of a sweep, best first."""

    trials: Sequence[TrialRecord]
    interval: Interval
    """Of the best trial's objective."""

    floor: float
    """The objective of one and the same score for every pixel."""

    tied: Sequence[int]
    """Trials that this data cannot tell from the best one, by number; the best is not among
    them."""

    compared: int
    """How many trials were compared with the best one."""

    synthetic_parts: Sequence[str]
    """Parts without defects in train, whose held-out defects were drawn."""

    @property
    def best(self) -> TrialRecord:
        """The trial with the highest objective."""
        return self.trials[0]


def leaderboard(sweep: Path, records: Sequence[TrialRecord]) -> Leaderboard | None:
    """Rank the complete trials and compare the best ones on the same held-out samples.

    Undecided is called tied: a trial is worse than the best one only where the 95 % interval of
    the paired difference lies above 0.

    Returns:
        None while no trial is complete.
    """
    best = best_of(records)
    if best is None:
        return None
    complete = sorted(
        (r for r in records if r.state == "complete" and r.value is not None),
        key=lambda record: (-(record.value or 0.0), record.number),
    )
    protocol = trial_config(sweep, best.number).protocol
    units = unit_scores(trial_folder(sweep, best.number))
    interval = score_intervals(units, protocol)[_NAME]
    rivals = complete[1:_COMPARED]
    tied = [r.number for r in rivals if not _is_worse(units, sweep, r, protocol)]
    return Leaderboard(
        trials=complete,
        interval=interval,
        floor=mean_floor(units, protocol)[_NAME],
        tied=tied,
        compared=len(rivals),
        synthetic_parts=_synthetic_parts(trial_folder(sweep, best.number)),
    )


def trial_config(sweep: Path, number: int) -> TrialConfig:
    """The config of a trial, as it was run."""
    file = trial_folder(sweep, number) / "config.json"
    return parse(TrialConfig, json.loads(file.read_text(encoding="utf-8")))


def interval_text(interval: Interval) -> str:
    """`0.861 [0.79, 0.91]`."""
    return f"{interval.value:.4f} [{interval.low:.3f}, {interval.high:.3f}]"


def markdown(sweep: str, board: Leaderboard, question: str) -> str:
    """The leaderboard as a page."""
    lines = [
        f"# {sweep}",
        "",
        *([question, ""] if question else []),
        f"Best: trial {board.best.number}, {OBJECTIVE} {interval_text(board.interval)} "
        f"(95 % interval over groups; one score for everything reaches {board.floor:.3f}).",
        "",
        _tie_text(board),
        *_caveats(board),
        "",
        f"| trial | {OBJECTIVE} | | settings | minutes |",
        "| --- | --- | --- | --- | --- |",
    ]
    for record in board.trials:
        mark = "best" if record is board.best else "tied" if record.number in board.tied else ""
        minutes = f"{record.duration_s / 60:.1f}" if record.duration_s else ""
        settings = ", ".join(
            f"{path.rpartition('.')[2]} {value_text(value)}"
            for path, value in record.suggestion.items()
        )
        lines.append(f"| {record.number} | {record.value:.4f} | {mark} | {settings} | {minutes} |")
    return "\n".join(lines) + "\n"


def end_of_sweep(sweep: str, board: Leaderboard, *, program: str, flag: str) -> str:
    """What is said on the terminal when a sweep has reached its target.

    Args:
        program: how this program is called on the user's command line.
        flag: ` --results DIR` where it is not the default.
    """
    settings = [f"  {path:34} {value_text(v)}" for path, v in board.best.suggestion.items()]
    return "\n".join(
        [
            "",
            f"Best of {len(board.trials)} complete trials: trial {board.best.number}",
            *settings,
            f"  {OBJECTIVE:34} {interval_text(board.interval)}   "
            f"(95 % interval; floor {board.floor:.3f})",
            _tie_text(board),
            *_caveats(board),
            "",
            f"Compare the runs:    {program} ui{flag}",
            f"Score it on test:    {program} evaluate {sweep}{flag}",
        ]
    )


def value_text(value: Any) -> str:
    """A setting's value, floats to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


def as_json(board: Leaderboard) -> Mapping[str, Any]:
    """The leaderboard for programs."""
    return {
        "best": board.best.number,
        "value": board.interval.value,
        "low": board.interval.low,
        "high": board.interval.high,
        "floor": board.floor,
        "tied": list(board.tied),
        "synthetic_parts": list(board.synthetic_parts),
        "compared": board.compared,
    }


def _synthetic_parts(trial: Path) -> list[str]:
    parts = {file.parents[1].name: file for file in sorted(trial.glob("*/fold*/unit.json"))}
    tags = {part: json.loads(file.read_text("utf-8"))["tags"] for part, file in parts.items()}
    return [part for part in tags if tags[part].get(f"defects/{part}") == "synthetic"]


def _caveats(board: Leaderboard) -> list[str]:
    if not board.synthetic_parts:
        return []
    return [
        f"The held-out defects of {', '.join(board.synthetic_parts)} were drawn, since train has "
        "none: these scores rank settings, they are no detection rates."
    ]


def _is_worse(best: Units, sweep: Path, rival: TrialRecord, protocol: ProtocolConfig) -> bool:
    units = unit_scores(trial_folder(sweep, rival.number))
    if not are_comparable(best, units):
        return False
    return difference_intervals(best, units, protocol)[_NAME].low > 0


def _tie_text(board: Leaderboard) -> str:
    if not board.compared:
        return "It has no rival yet."
    if not board.tied:
        rivals = "next best" if board.compared == 1 else f"{board.compared} next best"
        return f"It is better than the {rivals}, sample by sample (95 %)."
    names = ", ".join(map(str, board.tied))
    return f"Tied with it on this data: trial{'s' * (len(board.tied) > 1)} {names}."
