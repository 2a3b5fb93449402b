"""`demo-data`: renders a data set, to start without photographs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bearing_search.cli.output import say
from bearing_search.errors import DataError


def demo_data(
    directory: Annotated[Path, typer.Argument(help="New folder for the data set.")],
    scale: Annotated[
        Literal["small", "paper"],
        typer.Option(help="`paper` has the counts of the paper's Table 1, `small` a fifth."),
    ] = "small",
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
) -> None:
    """Render a demo data set: rings and side views at three brightness levels, with dents."""
    from rich.progress import Progress

    from bearing_search.data.demo.dataset import render_demo_set

    if directory.exists():
        raise DataError(f"{directory}: exists already; name a new folder.")
    with Progress(transient=True) as bars:
        task = bars.add_task("rendering", total=None)
        render_demo_set(
            directory,
            scale=scale,
            seed=seed,
            on_progress=lambda done, total: bars.update(task, completed=done, total=total),
        )
    say(f"{directory}: a data set for --data; the true outlines are in truth.json")
