"""`ui`: MLflow's web pages for a results folder."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from bearing_search.cli.options import Results
from bearing_search.cli.output import say
from bearing_search.errors import BearingSearchError, ResourceError, SweepError
from bearing_search.text.printable import printable
from bearing_search.text.program import program

_SHOWN = 10
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def ui(
    results: Results = Path("results"),
    host: Annotated[
        str, typer.Option(help="Address to listen on; other machines can reach 0.0.0.0.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 5000,
    allowed_hosts: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Names by which browsers may reach it, besides localhost and private addresses; "
            "separated by commas.",
        ),
    ] = "",
) -> None:
    """Compare runs in MLflow's web pages; Ctrl-C stops the server."""
    from bearing_search.tracking import experiments, publish_view, readable_store

    if not (results / "mlflow.db").exists():
        raise SweepError(f"{results}: no runs yet; start some with `{program()} run`.")
    require_free(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    say(f"MLflow is starting at {address} (this takes some 15 s)")
    if host in _LOOPBACK:
        tunnel = f"ssh -N -L {port}:{address.removeprefix('http://')} {socket.gethostname()}"
        say(f"  from another machine: {tunnel}, then the same address there")
    with readable_store(results) as store:
        for name, number in list(experiments(store.uri).items())[:_SHOWN]:
            publish_view(store.uri, number, *columns_of(results, name))
            say(f"  {name}, highest score first: {address}/#/experiments/{number}/runs?{view()}")
        if store.is_copy:
            note = f"{results} is read-only: the pages show a copy, and changes are lost at the end"
            print(printable(note), file=sys.stderr)
        sys.stdout.flush()
        arguments = ["--backend-store-uri", store.uri, "--host", host, "--port", str(port)]
        arguments += ["--workers", "1"]  # one reader needs no more; each takes .3 GB
        if allowed_hosts:
            arguments += ["--allowed-hosts", ",".join(host_patterns(allowed_hosts))]
        command = [sys.executable, "-m", "mlflow", "ui", *arguments]
        if not store.is_copy:
            # replaces this process, so that Ctrl-C and signals reach MLflow itself
            os.execv(sys.executable, command)
        serve(command)


def host_patterns(names: str) -> list[str]:
    """Patterns of the hosts that MLflow answers: its own by default, and these names.

    Args:
        names: separated by commas; without a port, every port is meant.
    """
    local = [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "localhost:*",
        "127.0.0.1:*",
        "[[]::1]:*",
        "0.0.0.0",
        "0.0.0.0:*",
    ]
    private = [
        "10.*",
        "192.168.*",
        "fc00:*",
        "fd00:*",
        *(f"172.{number}.*" for number in range(16, 32)),
    ]
    asked = [name.strip() for name in names.split(",") if name.strip()]
    return [*local, *private, *asked, *(f"{name}:*" for name in asked if ":" not in name)]


def require_free(host: str, port: int) -> None:
    """Refuse an address at which nothing can listen: MLflow would start, fail and print pages.

    Raises:
        ResourceError: the port is in use, or the host is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise ResourceError(
            f"nothing can listen at port {port} of {host}: {error.strerror or error}. Choose "
            "another --port (or --host)"
        ) from None


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


def columns_of(results: Path, sweep: str) -> tuple[str, tuple[str, ...]]:
    """Objective and varied settings of a sweep; one that was deleted counts as a search."""
    from bearing_search.measurement import OBJECTIVE
    from bearing_search.sweep.folder.listing import list_sweeps
    from bearing_search.sweep.folder.sweep_folder import load_sweep

    if sweep not in list_sweeps(results):
        return OBJECTIVE, ()
    try:
        folder = load_sweep(results, sweep)
        return folder.record.objective, tuple(folder.space().parameters)
    except BearingSearchError as error:  # its runs can be shown nevertheless
        print(f"warning: {printable(str(error))}", file=sys.stderr)
        return OBJECTIVE, ()


def view() -> str:
    """Query of a runs page that shows the view of `publish_view`; a filter here would undo it."""
    from bearing_search.tracking import VIEW_KEY

    return urlencode({"viewStateShareKey": VIEW_KEY, "workflowType": "machine_learning"})
