"""`compare`: the leaderboard of one sweep or several."""

from pathlib import Path
from typing import Annotated

import typer

from bearing_search.cli.options import AsJson, Results
from bearing_search.cli.output import say, say_json


def compare(
    sweeps: Annotated[list[str], typer.Argument(help="Names of sweeps; `status` lists them.")],
    results: Results = Path("results"),
    json: AsJson = False,
) -> None:
    """Rank the settings of one sweep or several, with intervals, ties and a recommendation."""
    from bearing_search.api.comparison import compare_sweeps, write_comparison
    from bearing_search.reporting.leaderboard_json import as_json
    from bearing_search.session.terminal import print_problem, terminal

    console = terminal(stderr=json)
    folders, board = compare_sweeps(sweeps, results, console)
    if json:
        say_json(as_json(board))
        return
    page, folder = write_comparison(folders, board, console)
    say(page)
    if folder is None:
        print_problem(console, f"{results} is read-only: nothing written")
    else:
        console.print(f"written to {folder}")
