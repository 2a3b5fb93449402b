"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[
    Path, typer.Option(help="Folder of the sweeps, MLflow's database and the cache.")
]
Data = Annotated[
    str, typer.Option(help="Folder of the data set, or `demo` for the rendered demo data.")
]
NoSharing = Annotated[
    bool,
    typer.Option("--no-sharing", help="Compute every stage, even if other trials did already."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
AllowLeak = Annotated[
    str,
    typer.Option(
        metavar="REASON",
        help="Accept samples shared by train and test; every report repeats the reason.",
    ),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto.")]
Trial = Annotated[
    int | None,
    typer.Option(help="Number of the trial. Default: the recommended one, as in report.md.", min=0),
]
