"""`ui`: MLflow's web pages for a results folder."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
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
    from bearing_search.tracking import experiments, readable_store

    if not (results / "mlflow.db").exists():
        raise SweepError(f"{results}: no runs yet; start some with `python -m bearing_search run`.")
    address = f"http://{host}:{port}"
    print(f"MLflow is starting at {address} (this takes some 15 s)")
    with readable_store(results) as store:
        for name, number in list(experiments(store.uri).items())[:_SHOWN]:
            query = best_first(objective_of(results, name))
            print(f"  {name}, highest score first: {address}/#/experiments/{number}/runs?{query}")
        if store.is_copy:
            print(f"{results} is read-only: the pages show a copy, and changes are lost at the end")
        sys.stdout.flush()
        arguments = ["--backend-store-uri", store.uri, "--host", host, "--port", str(port)]
        command = [sys.executable, "-m", "mlflow", "ui", *arguments]
        if not store.is_copy:
            # replaces this process, so that Ctrl-C and signals reach MLflow itself
            os.execv(sys.executable, command)
        serve(command)


def serve(command: Sequence[str]) -> None:
    """Run a server until it ends; SIGTERM to this process ends it as well."""
    with subprocess.Popen(command) as server:
        before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        try:
            server.wait()
        except KeyboardInterrupt:  # the server has received it, too
            server.wait()
        finally:
            signal.signal(signal.SIGTERM, before)


def objective_of(results: Path, sweep: str) -> str:
    """The metric that orders a sweep's runs; a sweep that was deleted counts as a search."""
    from bearing_search.measurement import OBJECTIVE
    from bearing_search.sweep.folder.listing import list_sweeps
    from bearing_search.sweep.folder.sweep_folder import load_sweep

    if sweep not in list_sweeps(results):
        return OBJECTIVE
    try:
        return load_sweep(results, sweep).record.objective
    except SweepError as error:  # its runs can be shown nevertheless
        print(f"warning: {error}", file=sys.stderr)
        return OBJECTIVE


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
