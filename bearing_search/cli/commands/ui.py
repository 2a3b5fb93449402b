"""`ui`: MLflow's web pages for a results folder."""

import os
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlencode

import typer

from bearing_search.cli.options import Results
from bearing_search.errors import SweepError

_SHOWN = 10


def ui(
    results: Results = Path("results"),
    host: Annotated[
        str, typer.Option(help="Address to listen on; other machines can reach 0.0.0.0.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 5000,
) -> None:
    """Compare runs in MLflow's web pages; Ctrl-C stops the server."""
    from bearing_search.tracking import default_tracking_uri, experiments

    uri = default_tracking_uri(results)
    if not Path(uri.removeprefix("sqlite:///")).exists():
        raise SweepError(f"{results}: no runs yet; start some with `python -m bearing_search run`.")
    address = f"http://{host}:{port}"
    print(f"MLflow is starting at {address} (this takes some 15 s)")
    for name, number in list(experiments(uri).items())[:_SHOWN]:
        query = best_first(objective_of(results, name))
        print(f"  {name}, highest score first: {address}/#/experiments/{number}/runs?{query}")
    sys.stdout.flush()
    # replaces this process, so that Ctrl-C and signals reach MLflow itself
    arguments = ["--backend-store-uri", uri, "--host", host, "--port", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *arguments])


def objective_of(results: Path, sweep: str) -> str:
    """The metric that orders a sweep's runs; a sweep that was deleted counts as a search."""
    from bearing_search.measurement import OBJECTIVE
    from bearing_search.sweep.folder.listing import list_sweeps
    from bearing_search.sweep.folder.sweep_folder import load_sweep

    if sweep not in list_sweeps(results):
        return OBJECTIVE
    return load_sweep(results, sweep).record.objective


def best_first(objective: str) -> str:
    """Query of a runs page that shows a table, highest objective first."""
    return urlencode(
        {
            # without a filter MLflow folds the trials of a sweep into one line
            "searchFilter": f"metrics.`{objective}` > 0",
            "orderByKey": f"metrics.`{objective}`",
            "orderByAsc": "false",
            "compareRunsMode": "TABLE",
        },
        quote_via=quote,
    )
