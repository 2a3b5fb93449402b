"""`compare`: the settings of one sweep or several as a leaderboard that claims what it can."""

import json as json_text
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bearing_search.analysis.selection import SweepTrials
from bearing_search.cli.options import AsJson, Results, terminal, writable_results
from bearing_search.cli.postprocessing import bar, postprocess_json, tuned
from bearing_search.config import stable_settings
from bearing_search.errors import SweepError
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.reporting.leaderboard import Leaderboard, joint_leaderboard
from bearing_search.reporting.leaderboard_json import as_json
from bearing_search.reporting.leaderboard_markdown import markdown
from bearing_search.reporting.leaderboard_plot import leaderboard_png
from bearing_search.reporting.pareto_plot import pareto_png
from bearing_search.sweep.folder.sweep_folder import SweepFolder, load_sweep
from bearing_search.sweep.status import end_of, sweep_status


def compare(
    sweeps: Annotated[list[str], typer.Argument(help="Names of sweeps; `status` lists them.")],
    results: Results = Path("results"),
    json: AsJson = False,
) -> None:
    """Rank all settings of one sweep or several: intervals, ties, and the one to use."""
    console = terminal(stderr=json)
    root = writable_results(results)
    folders = [load_sweep(root, name) for name in dict.fromkeys(sweeps)]
    refuse_incomparable(folders)
    board = board_of(folders, console)
    name = " and ".join(folder.record.name for folder in folders)
    if board is None:
        raise SweepError(f"{name}: no trial is complete yet; `resume` it first.")
    if json:
        print(json_text.dumps(as_json(board), indent=2))
        return
    target = folders[0].root
    if len(folders) > 1:
        target = root / "-".join(["compare", *(folder.record.name for folder in folders)])
    question = folders[0].space().question if len(folders) == 1 else ""
    files = write_board(target, name, board, question, console)
    print(files[0].read_text(encoding="utf-8"))
    console.print(f"written to {target}")


def refuse_incomparable(folders: Sequence[SweepFolder]) -> None:
    """Refuse sweeps whose scores say nothing about each other.

    Raises:
        SweepError: with the first difference.
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
                    f"differ: {json_text.dumps(ours)} and {json_text.dumps(theirs)}"
                )


def board_of(folders: Sequence[SweepFolder], console: Console) -> Leaderboard | None:
    """The leaderboard of sweeps; None while no trial is complete."""
    searched = [
        SweepTrials(name=f.record.name, folder=f.root, records=sweep_status(f).trials)
        for f in folders
    ]
    with bar(console, "comparing the trials") as on_progress:
        board = joint_leaderboard(
            searched, on_progress, objective_spec=folders[0].space().objective_spec
        )
    notes = dict.fromkeys(note for folder in folders for note in folder.record.notes)
    for folder in folders:
        if ended := end_of(folder):
            notes[f"{folder.record.name}: {ended}."] = None
    return replace(board, notes=tuple(notes)) if board else None


def write_board(
    folder: Path, name: str, board: Leaderboard, question: str, console: Console
) -> list[Path]:
    """Write `report.md`, `leaderboard.png`, `knobs.json`, `pareto.png`; returns the files."""
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


_NAMES = ("data", "folds", "parts", "protocols", "objectives or constraints")


def _facts(folder: SweepFolder) -> tuple[Any, ...]:
    space = folder.space()
    config = space.trial(space.default_suggestion())
    split = {"folds": config.split.folds, "seed": config.split.seed}
    objective_spec = space.objective_spec
    asked = [str(one) for one in (*objective_spec.objectives, *objective_spec.constraints)]
    return folder.record.data_digest, split, list(config.parts), _protocol(folder), asked


def _protocol(folder: SweepFolder) -> dict[str, Any]:
    """As the sweep recorded it; settings that were added since count where they change numbers."""
    known = dict(folder.record.protocol)
    return dict(stable_settings({"protocol": known})["protocol"]) if known else {}
