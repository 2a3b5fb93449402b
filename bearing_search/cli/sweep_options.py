"""Options that `run` and `resume` share."""

import re
from collections.abc import Collection, Sequence
from typing import Annotated, get_args

import typer

from bearing_search.sweep.record.accepted_change import Changeable
from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.sweep_record import SeedPlan, SweepRecord
from bearing_search.sweep.study.pruners import PRUNERS
from bearing_search.sweep.study.samplers import SAMPLERS

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

Trials = Annotated[
    int | None,
    typer.Option(help="Trials wanted in the end. Default: 4, or at `resume` as before.", min=1),
]
GpusPerTrial = Annotated[
    float | None,
    typer.Option(help="GPUs of each trial; .5 puts two trials on one GPU. Default: 1 where any."),
]
CpusPerTrial = Annotated[int | None, typer.Option(help="Cores, and threads, of each trial.")]
Concurrent = Annotated[int | None, typer.Option(help="Trials side by side, at most.")]
Address = Annotated[str | None, typer.Option(help="Existing Ray cluster, as host:port.")]
DepotUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where trials keep their folders (s3://...), for nodes that share no results folder.",
    ),
]
Audit = Annotated[
    int | None,
    typer.Option(help="Seeds of the base's own setting, to see what the seed alone does.", min=0),
]
Finalists = Annotated[
    int | None,
    typer.Option(help="How many of the best settings are run again under other seeds.", min=0),
]
Seeds = Annotated[
    int | None, typer.Option(help="Seeds of each finalist, its first run included.", min=2)
]
Sampler = Annotated[
    str,
    typer.Option(
        parser=lambda name: one_of(name, SAMPLERS),
        metavar=f"<{'|'.join(SAMPLERS)}>",
        help="Sampler; grid runs every point of the space, once.",
    ),
]
Pruner = Annotated[
    str,
    typer.Option(
        parser=lambda name: one_of(name, PRUNERS),
        metavar=f"<{'|'.join(PRUNERS)}>",
        help="Pruner: ends unpromising trials after each fold.",
    ),
]
GpuHours = Annotated[
    float | None,
    typer.Option(help="GPU hours after which trials stop and stay resumable.", min=0.001),
]
StopWhenConverged = Annotated[
    bool | None,
    typer.Option(
        "--stop-when-converged/--no-stop-when-converged",
        help="End below the target once 20 trials have brought no gain worth believing.",
    ),
]
TimeBudget = Annotated[
    float | None, typer.Option(help="Seconds after which trials stop and stay resumable.", min=1)
]
MaxFailures = Annotated[
    int | None,
    typer.Option(
        help="Maximum restarts of a trial after its process died or raised. Default: 3.", min=0
    ),
]
TrialTimeout = Annotated[
    float | None,
    typer.Option(
        parser=lambda text: seconds_of(text),
        metavar="DURATION",
        help="A trial that runs for longer fails: seconds, or 30m, 2h, 1d.",
    ),
]


def one_of(name: str, table: Collection[str]) -> str:
    """The name, if a table of samplers or pruners has it; in the words of Typer's own choices.

    Raises:
        ValueError: it has not; the command line turns this into an error with status 2.
    """
    if name not in table:
        raise ValueError(f"{name!r} is not one of {', '.join(map(repr, table))}.")
    return name


def seconds_of(text: str) -> float:
    """Seconds of `90`, `90s`, `30m`, `2h` or `1.5d`.

    Raises:
        typer.BadParameter: it is none of these, or 0.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not seconds:
        raise typer.BadParameter(f"{text!r} is no duration; seconds, or as in 30m, 2h, 1d")
    return seconds


def accepted_changes(names: Sequence[str]) -> list[Changeable]:
    """What `--accept-change` names.

    Raises:
        typer.BadParameter: it is nothing that may change.
    """
    known: tuple[Changeable, ...] = get_args(Changeable)
    for name in names:
        if name not in known:
            also = ", never the data" if name == "data" else ""
            raise typer.BadParameter(f"--accept-change {name}: only {' and '.join(known)}{also}")
    return [one for one in known if one in names]


def session_options(
    kept: SweepRecord | None = None,
    *,
    trials: int | None = None,
    gpus_per_trial: float | None = None,
    cpus_per_trial: int | None = None,
    concurrent: int | None = None,
    address: str | None = None,
    depot: str | None = None,
    time_budget: float | None = None,
    gpu_hours: float | None = None,
    max_failures: int | None = None,
    trial_timeout: float | None = None,
    audit: int | None = None,
    finalists: int | None = None,
    seeds: int | None = None,
    stop_when_converged: bool | None = None,
    retry_failed: bool = False,
    join: bool = False,
) -> SessionOptions:
    """What the flags of a command ask of a session, by their names on the command line.

    Args:
        kept: record of the sweep that exists; single resources and seeds that no flag names stay
            as they are there. None: the sweep is new.

    Raises:
        ConfigError: the resources or seeds are impossible.
    """
    asked = Resources(
        gpus_per_trial=gpus_per_trial,
        cpus_per_trial=cpus_per_trial,
        concurrent=concurrent,
        address=address,
        depot=depot,
    )
    plan = kept.seeds if kept else SeedPlan()
    names_seeds = (audit, finalists, seeds) != (None, None, None)
    return SessionOptions(
        target=trials,
        resources=recorded_or_asked(kept.resources, asked) if kept else asked,
        seeds=seed_plan(plan, audit, finalists, seeds) if names_seeds else None,
        max_failures=max_failures,
        stops_when_converged=stop_when_converged,
        time_budget_s=time_budget,
        gpu_budget_s=None if gpu_hours is None else 3600 * gpu_hours,
        trial_timeout_s=trial_timeout,
        retries_failed=retry_failed,
        join=join,
    )


def seed_plan(
    kept: SeedPlan, audit: int | None, finalists: int | None, each: int | None
) -> SeedPlan:
    """What was asked for, and where nothing was, what was kept."""
    return SeedPlan(
        audit=kept.audit if audit is None else audit,
        finalists=kept.finalists if finalists is None else finalists,
        each=each or kept.each,
    )


def recorded_or_asked(kept: Resources, asked: Resources) -> Resources:
    """What was asked for now; what was left open stays as the sweep has it."""
    return Resources(
        gpus_per_trial=(
            kept.gpus_per_trial if asked.gpus_per_trial is None else asked.gpus_per_trial
        ),
        cpus_per_trial=asked.cpus_per_trial or kept.cpus_per_trial,
        concurrent=asked.concurrent or kept.concurrent,
        address=asked.address or kept.address,
        depot=asked.depot or kept.depot,
    )
