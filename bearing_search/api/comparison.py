"""Settings of several sweeps on one leaderboard."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from bearing_search.errors import SweepError
from bearing_search.reporting.leaderboard import Leaderboard
from bearing_search.session.comparison import board_of, refuse_incomparable, write_board
from bearing_search.sweep.folder.sweep_folder import SweepFolder, load_sweep


def compare_sweeps(
    sweeps: Sequence[str], results: Path, console: Console
) -> tuple[list[SweepFolder], Leaderboard]:
    """The sweeps and their common leaderboard.

    Raises:
        SweepError: a sweep is unknown, they cannot be compared, or no trial is complete.
    """
    folders = [load_sweep(results, name) for name in dict.fromkeys(sweeps)]
    refuse_incomparable(folders)
    board = board_of(folders, console)
    if board is None:
        raise SweepError(f"{_title(folders)}: no trial is complete yet; `resume` it first.")
    return folders, board


def write_comparison(
    folders: Sequence[SweepFolder], board: Leaderboard, console: Console
) -> tuple[str, Path | None]:
    """Write report, plots and post-processing into a sweep's folder, or one named after all.

    Returns:
        The report, and the folder; None instead of it if that is read-only, and nothing is written.
    """
    first, *others = folders
    target, question = first.root, first.space().question
    if others:
        target = first.root.parent / "-".join(["compare", *(f.record.name for f in folders)])
        question = ""
    existing = target if target.exists() else target.parent
    with TemporaryDirectory(prefix="bearing_search-") as scratch:
        is_writable = os.access(existing, os.W_OK | os.X_OK)
        place = target if is_writable else Path(scratch)
        report, *_ = write_board(place, _title(folders), board, question, console)
        return report.read_text(encoding="utf-8"), target if is_writable else None


def _title(folders: Sequence[SweepFolder]) -> str:
    return " and ".join(folder.record.name for folder in folders)
