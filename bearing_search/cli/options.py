"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[
    Path, typer.Option(help="Folder of all sweeps, of MLflow's database and of the cache.")
]
Data = Annotated[
    str, typer.Option(help="Folder of the data set, or `demo` for the rendered demo data.")
]
NoSharing = Annotated[
    bool, typer.Option("--no-sharing", help="Compute every stage, whatever other trials have left.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
AllowLeak = Annotated[
    str,
    typer.Option(
        metavar="REASON",
        help="Go on although train and test share samples; every report tells the reason.",
    ),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto.")]
Trial = Annotated[
    int | None,
    typer.Option(help="Number of the trial. Default: the one to use, as in report.md.", min=0),
]
