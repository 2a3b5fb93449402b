"""Settings of several sweeps on one leaderboard."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bearing_search.errors import SweepError
from bearing_search.reporting.leaderboard import Leaderboard
from bearing_search.session.comparison import board_of, refuse_incomparable, write_board
from bearing_search.session.inputs import writable_results
from bearing_search.sweep.folder.sweep_folder import SweepFolder, load_sweep


def compare_sweeps(
    sweeps: Sequence[str], results: Path, console: Console
) -> tuple[list[SweepFolder], Leaderboard]:
    """The sweeps and their common leaderboard.

    Raises:
        SweepError: a sweep is unknown, they cannot be compared, or no trial is complete.
    """
    root = writable_results(results)
    folders = [load_sweep(root, name) for name in dict.fromkeys(sweeps)]
    refuse_incomparable(folders)
    board = board_of(folders, console)
    if board is None:
        raise SweepError(f"{_title(folders)}: no trial is complete yet; `resume` it first.")
    return folders, board


def write_comparison(folders: Sequence[SweepFolder], board: Leaderboard, console: Console) -> Path:
    """Write report, plots and post-processing into a sweep's folder, or one named after all.

    Returns:
        The file report.md.
    """
    first, *others = folders
    target, question = first.root, first.space().question
    if others:
        target = first.root.parent / "-".join(["compare", *(f.record.name for f in folders)])
        question = ""
    return write_board(target, _title(folders), board, question, console)[0]


def _title(folders: Sequence[SweepFolder]) -> str:
    return " and ".join(folder.record.name for folder in folders)
