"""The leaderboard of one sweep or several: comparability, ranking, report."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bearing_search.analysis.ranked_setting import SweepTrials
from bearing_search.config import stable_settings
from bearing_search.errors import SweepError
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.reporting.leaderboard import Leaderboard, joint_leaderboard
from bearing_search.reporting.leaderboard_markdown import markdown
from bearing_search.reporting.leaderboard_plot import leaderboard_png
from bearing_search.reporting.pareto_plot import pareto_png
from bearing_search.session.postprocessing import postprocess_json, tuned
from bearing_search.session.terminal import bar
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.status import end_of, sweep_status

_NAMES = ("data", "folds", "parts", "protocols", "objectives or constraints")
"""What `_facts` returns, in its order."""


def refuse_incomparable(folders: Sequence[SweepFolder]) -> None:
    """Refuse sweeps whose scores are not comparable.

    Raises:
        SweepError: naming the first difference.
    """
    first, *others = folders
    for folder in folders:
        if folder.record.task != "search":
            raise SweepError(
                f"{folder.record.name}: is a {folder.record.task}, scored on test; a setting is "
                "chosen among those of a search, on held-out folds of train"
            )
    for other in others:
        for what, ours, theirs in zip(_NAMES, _facts(first), _facts(other), strict=True):
            if ours != theirs:
                raise SweepError(
                    f"{first.record.name} and {other.record.name} cannot be compared: {what} "
                    f"differ: {json.dumps(ours)} and {json.dumps(theirs)}"
                )


def board_of(folders: Sequence[SweepFolder], console: Console) -> Leaderboard | None:
    """The leaderboard of sweeps; None while no trial is complete."""
    searched = [
        SweepTrials(name=f.record.name, folder=f.root, records=sweep_status(f).trials)
        for f in folders
    ]
    with bar(console, "comparing the trials") as on_progress:
        board = joint_leaderboard(searched, on_progress, objective_spec=folders[0].objective_spec)
    notes = dict.fromkeys(note for folder in folders for note in folder.record.notes)
    for folder in folders:
        if ended := end_of(folder):
            notes[f"{folder.record.name}: {ended}."] = None
    return replace(board, notes=(*board.notes, *notes)) if board else None


def complete_board(folder: SweepFolder, console: Console) -> Leaderboard:
    """The leaderboard of one search.

    Raises:
        SweepError: it is no search, or no trial is complete.
    """
    refuse_incomparable([folder])
    board = board_of([folder], console)
    if board is None:
        raise SweepError(f"{folder.record.name}: no trial is complete yet; `resume` it first.")
    return board


def write_board(
    folder: Path, name: str, board: Leaderboard, question: str, console: Console
) -> list[Path]:
    """Write `report.md`, `leaderboard.png`, `knobs.json` and `pareto.png`; return the files."""
    folder.mkdir(exist_ok=True)
    chosen = board.selection.chosen
    tuning = tuned(chosen.folder, chosen.number, console) if chosen is not None else None
    contents = {
        "report.md": markdown(name, board, question, tuning).encode(),
        "leaderboard.png": leaderboard_png(board.selection, name),
    }
    if chosen is not None and tuning is not None:
        contents["knobs.json"] = postprocess_json(chosen.title, tuning)
    if board.objective_spec.others:
        contents["pareto.png"] = pareto_png(
            board.selection, board.front, board.objective_spec, name
        )
    for file, content in contents.items():
        write_atomically(folder / file, content)
    return [folder / file for file in contents]


def _facts(folder: SweepFolder) -> tuple[Any, ...]:
    space = folder.space()
    config = space.trial(space.default_suggestion())
    split = {"folds": config.split.folds, "seed": config.split.seed}
    objective_spec = folder.objective_spec
    asked = [str(one) for one in (*objective_spec.objectives, *objective_spec.constraints)]
    return folder.record.data_digest, split, list(config.parts), _protocol(folder), asked


def _protocol(folder: SweepFolder) -> dict[str, Any]:
    """The recorded protocol; later settings count only if they change numbers."""
    known = dict(folder.record.protocol)
    return dict(stable_settings({"protocol": known})["protocol"]) if known else {}
