"""`compare`: the leaderboard of one sweep or several."""

import json as json_text
from pathlib import Path
from typing import Annotated

import typer

from bearing_search.cli.options import AsJson, Results


def compare(
    sweeps: Annotated[list[str], typer.Argument(help="Names of sweeps; `status` lists them.")],
    results: Results = Path("results"),
    json: AsJson = False,
) -> None:
    """Rank the settings of one sweep or several, with intervals, ties and a recommendation."""
    from bearing_search.api.comparison import compare_sweeps, write_comparison
    from bearing_search.reporting.leaderboard_json import as_json
    from bearing_search.session.terminal import terminal

    console = terminal(stderr=json)
    folders, board = compare_sweeps(sweeps, results, console)
    if json:
        print(json_text.dumps(as_json(board), indent=2))
        return
    page, folder = write_comparison(folders, board, console)
    print(page)
    console.print(f"written to {folder}" if folder else f"{results} is read-only: nothing written")
