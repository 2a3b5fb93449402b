"""`bundle`: a detector that was exported."""

from pathlib import Path
from typing import Annotated

import typer

bundle = typer.Typer(
    help="Check a detector that was exported.", no_args_is_help=True, rich_markup_mode=None
)


@bundle.callback()
def _group() -> None:
    """Check a detector that was exported."""


@bundle.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Folder that `export` wrote.")],
) -> None:
    """Compare digests, schema, and the score of the detector's own sample of each part.

    Status 11 if anything differs.
    """
    from bearing_search.export.bundle_check import check_bundle
    from bearing_search.session.terminal import terminal

    console = terminal()
    for line in check_bundle(folder).lines():
        console.print(line)
