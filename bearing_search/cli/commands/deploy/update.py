"""`update`: a new version of an exported detector, fitted to new normal pictures."""

from pathlib import Path
from typing import Annotated

import typer

from bearing_search.text.printable import printable


def update(
    detector: Annotated[Path, typer.Argument(help="Folder that `export` wrote.")],
    normals: Annotated[
        str,
        typer.Option(
            metavar="PICTURES",
            help="Pictures of good parts that the model has not seen, as `predict` takes them.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="New folder for the new version.")],
    part: Annotated[
        str, typer.Option(help="Part of pictures whose folder or manifest names none.")
    ] = "",
) -> None:
    """Fit thresholds and light range of an exported detector to new normal pictures.

    The network stays as it is, memory banks too. The new version is compared with torch in fp32 as
    `export` does; detector.json names its parent.

    Exit status: 9 a part has too few pictures; 10 it does not decide as torch, nothing is written.
    """
    from bearing_search.export.update import update_detector

    done = update_detector(detector, normals, out, part=part, tell=_tell)
    for one in done.parts:
        for line in one.lines():
            _tell(line)
    changed = {one.part for one in done.parts}
    if kept := [name for name in done.facts.parts if name not in changed]:
        _tell(f"as before: {', '.join(kept)}")
    _tell("the network is unchanged: only training anew changes what it has learnt")
    _tell(f"written to {done.folder}")


def _tell(line: str) -> None:
    print(printable(line), flush=True)
