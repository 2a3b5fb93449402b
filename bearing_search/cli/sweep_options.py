"""Options that `run` and `resume` share."""

import re
from collections.abc import Collection
from typing import Annotated

import typer

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
