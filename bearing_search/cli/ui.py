"""`ui`: MLflow's own pages over the runs of a results folder."""

import os
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlencode

import typer

from bearing_search.cli.options import Results
from bearing_search.errors import SweepError
from bearing_search.measurement import OBJECTIVE
from bearing_search.tracking import default_tracking_uri, experiments

_SHOWN = 10
_BEST_FIRST = urlencode(
    {
        # without a filter MLflow folds the trials of a sweep into one line
        "searchFilter": f"metrics.`{OBJECTIVE}` > 0",
        "orderByKey": f"metrics.`{OBJECTIVE}`",
        "orderByAsc": "false",
        "compareRunsMode": "TABLE",
    },
    quote_via=quote,
)


def ui(
    results: Results = Path("results"),
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine can reach 0.0.0.0.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 5000,
) -> None:
    """Compare runs in MLflow's web pages; Ctrl-C ends them."""
    uri = default_tracking_uri(results)
    if not Path(uri.removeprefix("sqlite:///")).exists():
        raise SweepError(f"{results}: no runs yet; start some with `python -m bearing_search run`.")
    address = f"http://{host}:{port}"
    print(f"MLflow is starting at {address} (this takes some 15 s)")
    for name, number in list(experiments(uri).items())[:_SHOWN]:
        print(f"  {name}, best trial first: {address}/#/experiments/{number}/runs?{_BEST_FIRST}")
    sys.stdout.flush()
    # replaces this process, so that Ctrl-C and signals reach MLflow itself
    arguments = ["--backend-store-uri", uri, "--host", host, "--port", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *arguments])
