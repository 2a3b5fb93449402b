"""`evaluate`: scores the recommended setting on test, once."""

from pathlib import Path
from typing import Annotated

import typer

import bearing_search
from bearing_search.cli.options import AllowLeak, AsJson, Device, Results, Trial
from bearing_search.cli.output import say, say_json
from bearing_search.filesystem.stored_file import read_json_object


def evaluate(
    sweep: Annotated[str, typer.Argument(help="Name of the sweep; `status` lists them.")],
    trial: Trial = None,
    again: Annotated[
        bool, typer.Option("--again", help="Open the test set again; every report counts it.")
    ] = False,
    device: Device = "auto",
    allow_leak: AllowLeak = "",
    refit_changed_data: Annotated[
        bool,
        typer.Option(
            "--refit-changed-data",
            help="Train on the data as it is now, although it has changed since the search; every "
            "report says so.",
        ),
    ] = False,
    calibrates: Annotated[
        bool,
        typer.Option(
            "--calibrate/--no-calibration",
            help="Set normal samples of train aside, so that thresholds fit the final model; "
            "otherwise it learns from all of train, and thresholds promise nothing.",
        ),
    ] = True,
    has_stress_set: Annotated[
        bool,
        typer.Option(
            "--stress-set/--no-stress-set",
            help="Score normal test samples again under other light and camera, and with a dent "
            "drawn at eight angles.",
        ),
    ] = True,
    leave_kind_out: Annotated[
        bool,
        typer.Option(
            "--leave-kind-out",
            help="Instead of opening test: train once more for each kind of defect, without it, "
            "and score that kind.",
        ),
    ] = False,
    results: Results = Path("results"),
    json: AsJson = False,
) -> None:
    """Train the recommended setting on train and score it on test, once.

    The frozen encoder is scored alongside. Run again, the command repeats its first result.
    """
    from bearing_search.reporting.evaluation_markdown import evaluation_markdown
    from bearing_search.session.terminal import terminal

    console = terminal(stderr=json)
    opened = bearing_search.open_sweep(sweep, results)
    if leave_kind_out:
        from bearing_search.api.evaluation import EvaluationRequest
        from bearing_search.api.unseen_kinds import leave_kinds_out

        asked = EvaluationRequest(trial=trial, device=device, refit_changed_data=refit_changed_data)
        page = leave_kinds_out(opened.folder, asked, console).page
        if json:
            say_json(read_json_object(page.with_suffix(".json")))
        else:
            say(page.read_text(encoding="utf-8"))
        console.print(f"written to {page.parent}")
        return
    found = opened.evaluate(
        trial,
        again=again,
        device=device,
        allow_leak=allow_leak,
        refit_changed_data=refit_changed_data,
        calibrates=calibrates,
        has_stress_set=has_stress_set,
        console=console,
    )
    folder = opened.path / "evaluate"
    if json:
        say_json(read_json_object(folder / "evaluation.json"))
    else:
        say(evaluation_markdown(found))
        console.print(f"written to {folder}")
