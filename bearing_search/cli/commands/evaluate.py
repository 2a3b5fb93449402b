"""`evaluate`: the chosen config, trained on all of train and scored on test; once."""

from pathlib import Path
from typing import Annotated

import typer

import bearing_search
from bearing_search.cli.options import AllowLeak, AsJson, Device, Results, Trial


def evaluate(
    sweep: Annotated[str, typer.Argument(help="Name of the sweep; `status` lists them.")],
    trial: Trial = None,
    again: Annotated[
        bool, typer.Option("--again", help="Open the test set although it was opened before.")
    ] = False,
    device: Device = "auto",
    allow_leak: AllowLeak = "",
    results: Results = Path("results"),
    json: AsJson = False,
) -> None:
    """Train the best setting on all of train and score it on test, beside the frozen encoder.

    The test set is opened once: asked again, the command repeats what it found then.
    """
    from bearing_search.reporting.test_evaluation import evaluation_markdown
    from bearing_search.session.terminal import terminal

    console = terminal(stderr=json)
    opened = bearing_search.open_sweep(sweep, results)
    found = opened.evaluate(
        trial, again=again, device=device, allow_leak=allow_leak, console=console
    )
    folder = opened.path / "evaluate"
    if json:
        print((folder / "evaluation.json").read_text(encoding="utf-8"))
    else:
        print(evaluation_markdown(found))
        console.print(f"written to {folder}")
