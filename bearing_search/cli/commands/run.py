"""`run` and `resume`: search, from the space to a recommended setting."""

from pathlib import Path
from typing import Annotated

import typer

import bearing_search
from bearing_search.cli.exit_status import session_status
from bearing_search.cli.options import AllowLeak, Data, NoSharing, Results
from bearing_search.cli.sweep_options import (
    Address,
    Audit,
    Concurrent,
    CpusPerTrial,
    DepotUrl,
    Finalists,
    GpuHours,
    GpusPerTrial,
    MaxFailures,
    Pruner,
    Sampler,
    Seeds,
    StopWhenConverged,
    TimeBudget,
    Trials,
    TrialTimeout,
)


def run(
    space: Annotated[
        str, typer.Argument(help="Search space: a YAML file, or the name of a shipped one.")
    ] = "demo",
    data: Data = "demo",
    trials: Trials = None,
    gpus_per_trial: GpusPerTrial = None,
    cpus_per_trial: CpusPerTrial = None,
    concurrent: Concurrent = None,
    address: Address = None,
    depot: DepotUrl = None,
    time_budget: TimeBudget = None,
    gpu_hours: GpuHours = None,
    max_failures: MaxFailures = None,
    trial_timeout: TrialTimeout = None,
    audit: Audit = None,
    finalists: Finalists = None,
    seeds: Seeds = None,
    stop_when_converged: StopWhenConverged = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="Folds inside train; replaces split.folds. Default: as many as the defects allow.",
            min=2,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sampler.")] = 0,
    pruner: Pruner = "none",
    sampler: Sampler = "tpe",
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep. Default: the space and the time.")
    ] = None,
    no_sharing: NoSharing = False,
    storage: Annotated[
        str, typer.Option(help="Database URL of the study. Default: sqlite in the sweep's folder.")
    ] = "",
    tracking_uri: Annotated[
        str, typer.Option(help="MLflow's tracking URI. Default: mlflow.db in the results folder.")
    ] = "",
    warm_start: Annotated[
        str | None,
        typer.Option(help="Earlier sweep over the same space and data, whose scores are reused."),
    ] = None,
    allow_leak: AllowLeak = "",
    results: Results = Path("results"),
) -> int:
    """Search: train and score trials up to the target, then recommend a setting."""
    sweep = bearing_search.run_search(
        space,
        data,
        trials=trials,
        name=name,
        results=results,
        folds=folds,
        seed=seed,
        sampler=sampler,
        pruner=pruner,
        shares_stages=not no_sharing,
        storage=storage,
        tracking_uri=tracking_uri,
        warm_start=warm_start,
        allow_leak=allow_leak,
        gpus_per_trial=gpus_per_trial,
        cpus_per_trial=cpus_per_trial,
        concurrent=concurrent,
        address=address,
        depot=depot,
        time_budget=time_budget,
        gpu_hours=gpu_hours,
        max_failures=max_failures,
        trial_timeout=trial_timeout,
        audit=audit,
        finalists=finalists,
        seeds=seeds,
        stop_when_converged=stop_when_converged,
    )
    return session_status(sweep)


def resume(
    sweep: Annotated[str, typer.Argument(help="Name of the sweep; `status` lists them.")],
    trials: Trials = None,
    gpus_per_trial: GpusPerTrial = None,
    cpus_per_trial: CpusPerTrial = None,
    concurrent: Concurrent = None,
    address: Address = None,
    depot: DepotUrl = None,
    time_budget: TimeBudget = None,
    gpu_hours: GpuHours = None,
    max_failures: MaxFailures = None,
    trial_timeout: TrialTimeout = None,
    audit: Audit = None,
    finalists: Finalists = None,
    seeds: Seeds = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Rerun failed trials before anything else.")
    ] = False,
    space: Annotated[
        str | None,
        typer.Option(help="The edited space, to compare with the one that the sweep began with."),
    ] = None,
    accept_change: Annotated[
        list[str] | None,
        typer.Option(
            metavar="space|code",
            help="Continue although this has changed; every report says so.",
        ),
    ] = None,
    stop_when_converged: StopWhenConverged = None,
    join: Annotated[
        bool,
        typer.Option("--join", help="Drive the sweep along with other drivers (PostgreSQL only)."),
    ] = False,
    results: Results = Path("results"),
) -> int:
    """Continue a sweep towards its target; --trials raises the target."""
    resumed = bearing_search.open_sweep(sweep, results).resume(
        trials=trials,
        gpus_per_trial=gpus_per_trial,
        cpus_per_trial=cpus_per_trial,
        concurrent=concurrent,
        address=address,
        depot=depot,
        time_budget=time_budget,
        gpu_hours=gpu_hours,
        max_failures=max_failures,
        trial_timeout=trial_timeout,
        audit=audit,
        finalists=finalists,
        seeds=seeds,
        retry_failed=retry_failed,
        space=space,
        accept_change=accept_change or (),
        stop_when_converged=stop_when_converged,
        join=join,
    )
    return session_status(resumed)
