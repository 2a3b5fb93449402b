"""`serve`: an exported detector as a small HTTP service."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bearing_search.cli.exit_status import INTERRUPTED
from bearing_search.cli.output import say
from bearing_search.errors import ConfigError, ResourceError


def serve(
    detector: Annotated[Path, typer.Argument(help="Folder that `export` wrote.")],
    host: Annotated[
        str, typer.Option(help="Address to listen on; other machines can reach 0.0.0.0.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on. 0: a free one.", min=0, max=65535)
    ] = 8000,
    queue: Annotated[
        int,
        typer.Option(
            help="Samples that may be accepted at a time, the one that is judged included; further "
            "ones are refused with 429.",
            min=1,
        ),
    ] = 16,
    last: Annotated[int, typer.Option(help="Verdicts that the page shows.", min=1, max=1000)] = 20,
    max_mb: Annotated[float, typer.Option(help="Largest body of a request.", min=0.001)] = 64.0,
    max_megapixels: Annotated[
        float, typer.Option(help="Largest picture, by its header.", min=0.001, max=100.0)
    ] = 100.0,
    watch: Annotated[
        Path | None, typer.Option(help="Also judge what appears in this folder, each sample once.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --watch: file that gets a line of JSON a sample.")
    ] = None,
    part: Annotated[
        str, typer.Option(help="With --watch: part of pictures whose folder names none.")
    ] = "",
    incomplete_after: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="With --watch: a sample without all its levels is judged after that time.",
            min=1.0,
        ),
    ] = 60.0,
    threads: Annotated[
        int, typer.Option(help="Threads of the network. 0: as the runtime decides.", min=0)
    ] = 0,
) -> int:
    """Serve an exported detector over HTTP; Ctrl-C stops it.

    POST /judge takes the brightness levels of one sample and returns the line of `predict --json`.
    /healthz, /metrics (Prometheus), /docs, and / with the last verdicts. It listens on 127.0.0.1
    only, unless --host says otherwise: it has no password and no encryption.

    Exit status: 0 after Ctrl-C or SIGTERM, with all that was accepted finished; 130 after a second
    one, which gives that up.
    """
    _require_both(watch, out)
    with _explained():
        from bearing_search.service.server import ServerOptions
        from bearing_search.service.server import serve as run
        from bearing_search.service.uploads import Limits
        from bearing_search.service.watching import WatchOptions
    options = ServerOptions(
        detector=detector,
        host=host,
        port=port,
        queue=queue,
        keeps=last,
        threads=threads,
        limits=Limits(body_bytes=int(max_mb * 1e6), pixels=int(max_megapixels * 1e6)),
        watch=None
        if watch is None or out is None
        else WatchOptions(folder=watch, out=out, part=part, incomplete_s=incomplete_after),
    )
    return 0 if run(options, tell) else INTERRUPTED


def _require_both(watch: Path | None, out: Path | None) -> None:
    if (watch is None) != (out is None):
        raise ConfigError("--watch FOLDER and --out FILE go together: name both, or none")


@contextmanager
def _explained() -> Iterator[None]:
    """Turns a package that is missing into a line with the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ResourceError(
            f"{error.name} is not installed, which `serve` needs; "
            "pip install 'bearing_search[serve]'"
        ) from None


def tell(line: str) -> None:
    """Print a line at once."""
    say(line)
    sys.stdout.flush()
