"""`status`: shows sweeps while they run and afterwards."""

from __future__ import annotations

import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import bearing_search
from bearing_search.cli.options import AsJson, Results
from bearing_search.cli.output import say_json
from bearing_search.errors import BearingSearchError, DamagedFileError
from bearing_search.text.durations import format_duration
from bearing_search.text.printable import printable
from bearing_search.text.program import program

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from bearing_search.api.sweep import Sweep
    from bearing_search.sweep.status import SweepStatus


def status(
    sweep: Annotated[
        str | None, typer.Argument(help="Name of the sweep. Default: all, one line each.")
    ] = None,
    results: Results = Path("results"),
    json: AsJson = False,
) -> int | None:
    """Show the progress of a sweep, trial by trial, also while it runs."""
    from bearing_search.session.terminal import terminal

    console = terminal()
    if sweep is None:
        return _status_of_all(results, console, json=json)
    opened = bearing_search.open_sweep(sweep, results)
    if json:
        say_json(_as_json(opened))
    else:
        shown = opened.status
        console.print(_trial_table(shown))
        console.print(_sweep_line(shown))
        console.print(opened.test_access.text)
    return None


def _status_of_all(results: Path, console: Console, *, json: bool) -> int | None:
    """Show every sweep in a line; those that cannot be read say why. Returns the exit status."""
    from bearing_search.sweep.folder.listing import list_sweeps

    shown: list[dict[str, Any]] = []
    errors: list[BearingSearchError] = []
    for name in list_sweeps(results):
        try:
            one = bearing_search.open_sweep(name, results).status
        except BearingSearchError as error:
            shown.append({"name": name, "error": str(error)})
            errors.append(error)
            continue
        shown.append(asdict(one))
        if not json:
            console.print(_sweep_line(one))
    if json:
        say_json(shown)
    elif not shown:
        console.print(f"{results}: no sweeps yet; start one with `{program()} run`.")
    for sick in errors:
        print(f"error: {printable(str(sick))}", file=sys.stderr)
    return errors[0].exit_status if errors else None


def _as_json(sweep: Sweep) -> dict[str, Any]:
    """Trials, leaderboard and accesses to test, as JSON."""
    from bearing_search.reporting.leaderboard import leaderboard
    from bearing_search.reporting.leaderboard_json import as_json

    shown, spec = sweep.status, sweep.folder.objective_spec
    is_search = shown.task == "search"
    board = leaderboard(sweep.path, shown.trials, objective_spec=spec) if is_search else None
    return asdict(shown) | {
        "test_opened": asdict(sweep.test_access),
        "leaderboard": as_json(board) if board else None,
    }


def _trial_table(shown: SweepStatus) -> Table:
    from rich.table import Table

    from bearing_search.trial_history.titles import seed_text, settings_text

    others = list(dict.fromkeys(name for trial in shown.trials for name in trial.judged.scores))
    others = [name for name in others if name != shown.objective]
    titles = ("trial", "state", shown.objective, *others, "settings", "at", "time", "saved")
    table = Table(*titles, box=None)
    for trial in shown.trials:
        at = trial.reason
        if trial.state in ("running", "stopped"):
            at = f"{trial.progress:.0%} {trial.stage}"
        if trial.number in shown.silent_s:
            silent = format_duration(shown.silent_s[trial.number], rounded=True)
            at = f"{at} (nothing reported for {silent})"
        if trial.micro_batch is not None:
            at = f"{at} (micro-batch {trial.micro_batch:.0f})".strip()
        table.add_row(
            str(trial.number),
            trial.state,
            f"{trial.value:.4f}" if trial.value is not None else "",
            *(
                f"{trial.judged.scores.get(name, math.nan):.4g}".replace("nan", "")
                for name in others
            ),
            settings_text(trial.suggestion)
            + seed_text(trial.seed, trial.purpose)
            + (f" (again, after trial {trial.retry_of})" if trial.retry_of is not None else ""),
            at,
            format_duration(trial.duration_s) if trial.duration_s else "",
            format_duration(trial.saved_s) if trial.saved_s else "",
        )
    return table


def _drawn_defects(sweep: Path, trial: int) -> str:
    """On which drawn defects a trial was scored, to follow its score."""
    from bearing_search.trial_history.held_out_defects import drawn_parts, drawn_text
    from bearing_search.trial_history.records import trial_folder

    try:
        return drawn_text(drawn_parts(trial_folder(sweep, trial)))
    except DamagedFileError as error:
        return f" (on drawn defects or real ones: {error})"


def _sweep_line(shown: SweepStatus) -> str:
    best = shown.best
    drawn = _drawn_defects(shown.folder, best.number) if best else ""
    score = f"{shown.objective} {best.value:.4f}{drawn}" if best else ""
    leader = f", best {score} (trial {best.number})" if best else ""
    notes = "".join(f"\n  {note}" for note in shown.notes)
    driver = f", running: {shown.holder}" if shown.holder else ""
    failed = sum(trial.state == "failed" for trial in shown.trials)
    also = f", {failed} failed" if failed else ""
    saved = f", {format_duration(shown.saved_s)} of compute saved" if shown.saved_s else ""
    finished = f"{shown.num_finished} of {shown.target} trials"
    ended = f"; {shown.ended}" if shown.ended else ""
    return f"{shown.name}: {finished}{also}{leader}{saved}{driver}{ended}{notes}"
