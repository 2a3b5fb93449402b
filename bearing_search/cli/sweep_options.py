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
    typer.Option(help="Target: total number of trials. Default: 4; `resume`: as before.", min=1),
]
GpusPerTrial = Annotated[
    float | None,
    typer.Option(
        help="GPUs per trial; .5 puts two trials on one GPU. Default: 1 if there are GPUs."
    ),
]
CpusPerTrial = Annotated[int | None, typer.Option(help="Cores, and threads, per trial.")]
Concurrent = Annotated[int | None, typer.Option(help="Maximum number of concurrent trials.")]
Address = Annotated[str | None, typer.Option(help="Existing Ray cluster, as host:port.")]
DepotUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where trials keep their folders (s3://...), if nodes share no results folder.",
    ),
]
Audit = Annotated[
    int | None,
    typer.Option(help="Number of seeds for the base setting, to measure its scatter.", min=0),
]
Finalists = Annotated[
    int | None,
    typer.Option(help="Number of best settings to rerun with other seeds.", min=0),
]
Seeds = Annotated[
    int | None, typer.Option(help="Seeds per finalist, including its first run.", min=2)
]
Sampler = Annotated[
    str,
    typer.Option(
        parser=lambda name: one_of(name, SAMPLERS),
        metavar=f"<{'|'.join(SAMPLERS)}>",
        help="Sampler; grid runs every point of the space once.",
    ),
]
Pruner = Annotated[
    str,
    typer.Option(
        parser=lambda name: one_of(name, PRUNERS),
        metavar=f"<{'|'.join(PRUNERS)}>",
        help="Pruner; stops unpromising trials after a fold.",
    ),
]
GpuHours = Annotated[
    float | None,
    typer.Option(help="GPU hours after which the session stops; it can be resumed.", min=0.001),
]
StopWhenConverged = Annotated[
    bool | None,
    typer.Option(
        "--stop-when-converged/--no-stop-when-converged",
        help="Stop early once 20 trials brought no significant gain.",
    ),
]
TimeBudget = Annotated[
    float | None,
    typer.Option(help="Seconds after which the session stops; it can be resumed.", min=1),
]
MaxFailures = Annotated[
    int | None,
    typer.Option(
        help="Maximum restarts of a trial whose process died or raised. Default: 3.", min=0
    ),
]
TrialTimeout = Annotated[
    float | None,
    typer.Option(
        parser=lambda text: seconds_of(text),
        metavar="DURATION",
        help="Time after which a trial fails: seconds, or 30m, 2h, 1d.",
    ),
]


def one_of(name: str, table: Collection[str]) -> str:
    """The name, if it is in a table of samplers or pruners.

    Raises:
        ValueError: it is not in the table; Typer turns this into an error with status 2.
    """
    if name not in table:
        raise ValueError(f"{name!r} is not one of {', '.join(map(repr, table))}.")
    return name


def seconds_of(text: str) -> float:
    """Number of seconds in `90`, `90s`, `30m`, `2h` or `1.5d`.

    Raises:
        typer.BadParameter: it is none of these, or 0.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not seconds:
        raise typer.BadParameter(
            f"{text!r} is not a duration; wanted seconds, or a form like 30m, 2h, 1d"
        )
    return seconds
