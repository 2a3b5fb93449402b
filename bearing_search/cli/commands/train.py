"""`train`: runs one trial in this process, for debugging."""

from pathlib import Path
from typing import Annotated

import typer

from bearing_search.cli.options import AllowLeak, Data, Device, NoSharing, Results
from bearing_search.cli.output import say


def train(
    config: Annotated[
        Path, typer.Argument(help="YAML or JSON of one trial, such as a trial's config.json.")
    ],
    data: Data = "demo",
    results: Results = Path("results"),
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the trial; if it exists, the trial is resumed."),
    ] = None,
    device: Device = "auto",
    no_sharing: NoSharing = False,
    allow_leak: AllowLeak = "",
) -> None:
    """Run one trial in this process, without Ray, and print its metrics."""
    from bearing_search.api.training import objective_of_trial
    from bearing_search.api.training import train as run_one
    from bearing_search.trial_history.held_out_defects import drawn_parts, drawn_text

    last, folder = run_one(
        config,
        data,
        results,
        out=out,
        device=device,
        shares_stages=not no_sharing,
        allow_leak=allow_leak,
    )
    for name in sorted(name for name in last.values if name.count("/") == 1):
        say(f"{name:24} {last.values[name]:.4f}")
    objective, drawn = objective_of_trial(folder), drawn_text(drawn_parts(folder))
    say(f"{objective} {last.values[objective]:.4f}{drawn}; everything is in {folder}")
