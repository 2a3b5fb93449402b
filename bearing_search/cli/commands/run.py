"""`run` and `resume`: a sweep, from the question to the best setting."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from bearing_search.cli.inputs import digest_for, resolve_data, train_digest
from bearing_search.cli.leak_gate import AllowLeak, refuse_leaks
from bearing_search.cli.options import (
    DEMO,
    Data,
    NoSharing,
    Results,
    find_space,
    terminal,
    writable_results,
)
from bearing_search.cli.preflight import check_folds, check_images, check_models, edge_configs
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
    accepted_changes,
    session_options,
)
from bearing_search.cli.sweep_session import announce, drive
from bearing_search.config import to_plain
from bearing_search.data.dataset import load_data_set
from bearing_search.search_space.yaml_file import load_search_space
from bearing_search.sweep.folder.changes import with_code, with_space
from bearing_search.sweep.folder.sweep_folder import create_sweep, load_sweep
from bearing_search.sweep.record.sweep_record import SweepRecord, check_name
from bearing_search.sweep.remote.object_store import FolderStore
from bearing_search.sweep.study.pruners import check_pruner
from bearing_search.sweep.study.samplers import check_sampler, sampler_spec
from bearing_search.sweep.warm_start import prior_trials

DEFAULT_TRIALS = 4


def run(
    space: Annotated[
        str, typer.Argument(help="Search space: a YAML file, or the name of a shipped one.")
    ] = DEMO,
    data: Data = DEMO,
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
            help="Folds inside train; replaces split.folds. Default: as many as defects allow.",
            min=2,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sampler.")] = 0,
    pruner: Pruner = "none",
    sampler: Sampler = "tpe",
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep. Default: space and time.")
    ] = None,
    no_sharing: NoSharing = False,
    storage: Annotated[
        str, typer.Option(help="Database URL of the ledger. Default: sqlite in the sweep's folder.")
    ] = "",
    tracking_uri: Annotated[
        str, typer.Option(help="MLflow's tracking URI. Default: mlflow.db in the results folder.")
    ] = "",
    warm_start: Annotated[
        str | None,
        typer.Option(help="Earlier sweep over the same space and data; its scores are known."),
    ] = None,
    allow_leak: AllowLeak = "",
    results: Results = Path("results"),
) -> int:
    """Search: train and score trials until the target is reached, then name the best setting."""
    console = terminal()
    name = name or f"{Path(space).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    check_name(name)
    searched = load_search_space(find_space(space))
    if folds is not None:
        searched = searched.with_setting("split.folds", folds)
    check_sampler(sampler, searched)
    if depot:
        FolderStore(depot).check()
    options = session_options(
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
        stop_when_converged=stop_when_converged,
    )
    root = writable_results(results)
    data_folder, data_set = resolve_data(data, root)
    plan = check_folds(data_set, searched.trial(searched.default_suggestion()))
    check_pruner(pruner, max(map(len, plan.values())))
    check_images(data_set.samples("train"), console)
    allowed = refuse_leaks(data_set, edge_configs(searched), root, console, reason=allow_leak)
    with console.status("loading the encoder's weights"):
        check_models(edge_configs(searched))
    record = SweepRecord(
        name=name,
        space_text=searched.text,
        space_source=space,
        data=str(data_folder),
        data_digest=train_digest(data_set),
        allowed_leak=allowed,
        target=0 if sampler_spec(sampler).is_exhaustive else DEFAULT_TRIALS,
        sampler=sampler,
        seed=seed,
        folds=folds,
        pruner=pruner,
        storage=storage,
        tracking_uri=tracking_uri,
        shares_stages=not no_sharing,
        protocol=to_plain(searched.trial(searched.default_suggestion()).protocol),
    )
    record = options.applied_to(record)
    if warm_start is not None:
        earlier = load_sweep(root, warm_start)
        record = replace(record, known=prior_trials(earlier, record, searched))
    folder = create_sweep(root, record, searched)
    announce(folder, searched, data_set, console)
    return drive(folder, options, console)


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
        bool, typer.Option("--retry-failed", help="Give failed trials another go, first of all.")
    ] = False,
    space: Annotated[
        str | None, typer.Option(help="The space as it is now, to compare with the sweep's own.")
    ] = None,
    accept_change: Annotated[
        list[str] | None,
        typer.Option(
            metavar="space|code",
            help="Go on although this has changed; every report tells it.",
        ),
    ] = None,
    stop_when_converged: StopWhenConverged = None,
    join: Annotated[
        bool,
        typer.Option("--join", help="Drive it beside others (ledger on PostgreSQL only)."),
    ] = False,
    results: Results = Path("results"),
) -> int:
    """Go on with a sweep towards its target; --trials raises the target."""
    console = terminal()
    folder = load_sweep(writable_results(results), sweep)
    options = session_options(
        folder.record,
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
        stop_when_converged=stop_when_converged,
        retry_failed=retry_failed,
        join=join,
    )
    data_set = load_data_set(Path(folder.record.data))
    folder.refuse_changes(data_digest=digest_for(folder.record.task, data_set))
    accepted = accepted_changes(accept_change or ())
    folder = with_code(folder, accepted=accepted)
    if space is not None:
        edited = load_search_space(find_space(space))
        folder = with_space(folder, edited, space, accepted=accepted)
    with console.status("loading the encoder's weights"):
        check_models([folder.space().trial(folder.space().default_suggestion())])
    return drive(folder, options, console)
