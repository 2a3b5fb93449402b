"""`status` and `check`: look at a sweep, or at a question, and start nothing."""

import json as json_text
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from bearing_search.cli.inputs import resolve_data, split_lines, train_digest
from bearing_search.cli.options import AsJson, Results, find_space, terminal
from bearing_search.cli.preflight import check_images, check_models, edge_configs
from bearing_search.cli.progress import clock, settings_text
from bearing_search.measurement import OBJECTIVE
from bearing_search.observer import TrialRecord
from bearing_search.openings import openings
from bearing_search.report import as_json, leaderboard
from bearing_search.space import load_search_space
from bearing_search.stages.unit_plan import progress_of_plan, validation_plans
from bearing_search.sweep.folder import list_sweeps, load_sweep
from bearing_search.sweep.status import SweepStatus, sweep_status


def status(
    sweep: Annotated[
        str | None, typer.Argument(help="Name of the sweep. Default: all, a line each.")
    ] = None,
    results: Results = Path("results"),
    json: AsJson = False,
) -> None:
    """Show how far a sweep is, trial by trial; safe while it runs."""
    console = terminal()
    if sweep is not None:
        folder = load_sweep(results, sweep)
        shown = sweep_status(folder)
        looks = openings(folder.root)
        if json:
            board = leaderboard(folder.root, shown.trials) if shown.task == "search" else None
            found = {
                "test_opened": asdict(looks),
                "leaderboard": as_json(board) if board else None,
            }
            print(json_text.dumps(asdict(shown) | found, default=str, indent=2))
        else:
            console.print(_trial_table(shown.trials, shown.objective))
            console.print(_sweep_line(shown))
            console.print(looks.text)
        return
    every = [sweep_status(load_sweep(results, name)) for name in list_sweeps(results)]
    if json:
        print(json_text.dumps([asdict(one) for one in every], default=str, indent=2))
    elif not every:
        print(f"{results}: no sweeps yet; start one with `python -m bearing_search run`.")
    for one in [] if json else every:
        console.print(_sweep_line(one))


def check(
    space: Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped space.")],
    data: Annotated[
        str | None, typer.Option(help="Folder of the data set, or `demo`; checked too.")
    ] = None,
    weights: Annotated[
        bool, typer.Option(help="Load the encoder's weights as well, as `run` will.")
    ] = True,
    results: Results = Path("results"),
) -> None:
    """Validate a search space (and a data set), print axes, splits and plan; start nothing."""
    searched = load_search_space(find_space(space))
    base = searched.default_suggestion()
    config = searched.trial(base)
    print(searched.question or space)
    for path, axis in searched.axes.items():
        print(f"  {path:38} {axis}   trial 0: {json_text.dumps(base[path])}")
    folds = config.split.folds or "as many as each part's anomalous groups allow, at most 5"
    print(f"  objective {OBJECTIVE}, mean over folds of train and all parts; folds: {folds}")
    if data is not None:
        folder, data_set = resolve_data(data, results)
        print(f"data {folder} (digest of train {train_digest(data_set)})")
        check_images(data_set.samples("train"), terminal())
        for line in split_lines(data_set, searched):
            print(f"  {line}")
        costs: dict[str, float] = {}
        for plan in validation_plans(config, data_set.samples("train")):
            trained, _, _ = plan.key.partition("/")
            costs[trained] = costs.get(trained, 0.0) + progress_of_plan(config, plan)[-1]
        for trained, cost in costs.items():
            print(f"  {trained}: about {cost:.0f} iterations of the decoder's cost for each trial")
    if weights:
        with terminal().status("loading the encoder's weights"):
            sha256 = check_models(edge_configs(searched))
        print(f"encoder {config.encoder.name}, weights sha256 {sha256}")
    print("all is well; nothing was started")


def _trial_table(trials: Sequence[TrialRecord], objective: str) -> Table:
    table = Table("trial", "state", objective, "settings", "at", "time", box=None)
    for trial in trials:
        at = trial.reason if trial.state == "failed" else ""
        if trial.state in ("running", "stopped"):
            at = f"{trial.progress:.0%} {trial.stage}"
        table.add_row(
            str(trial.number),
            trial.state,
            f"{trial.value:.4f}" if trial.value is not None else "",
            settings_text(trial.suggestion),
            at,
            clock(trial.duration_s) if trial.duration_s else "",
        )
    return table


def _sweep_line(shown: SweepStatus) -> str:
    best = shown.best
    leader = f", best {shown.objective} {best.value:.4f} (trial {best.number})" if best else ""
    driver = f", running: {shown.holder}" if shown.holder else ""
    failed = sum(trial.state == "failed" for trial in shown.trials)
    also = f", {failed} failed" if failed else ""
    return f"{shown.name}: {shown.num_finished} of {shown.target} trials{also}{leader}{driver}"
