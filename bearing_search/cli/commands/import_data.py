"""`import`: makes a data set with another layout usable as --data, without copying images."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bearing_search.cli.output import say
from bearing_search.text.program import program


def import_data(
    raw: Annotated[Path, typer.Argument(help="The data set, as downloaded or exported.")],
    out: Annotated[
        Path, typer.Option(help="New folder, or that of an earlier import of the same data.")
    ],
    layout: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            help="Layout, if it is not recognised, such as coco; an unknown name lists all.",
        ),
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(
            help="Share of each kind that becomes test if the set has no split. Default: 0.3."
        ),
    ] = None,
) -> None:
    """Import a data set with another layout: write its manifest, and masks from outlines.

    Images are referenced in place, not copied. The same data give the same bytes.
    """
    from bearing_search.data.importing.import_data_set import import_data_set
    from bearing_search.data.layouts.table import LAYOUTS

    found = import_data_set(raw, out, layout=layout, test_share=test_share)
    say(f"{raw}: {LAYOUTS[found.layout].title} (--as {found.layout})")
    for part, split, defect, count in found.counts:
        say(f"  {part} {split} {defect}: {count}")
    for sentence in found.said:
        say(f"  {sentence}")
    if found.num_drawn:
        say(f"  {found.num_drawn} masks were rendered or merged in {out / 'masks'}")
    if found.num_bare:
        say(f"  {found.num_bare} anomalous samples have no mask")
    say(f"written to {out}; now check it: {program()} check {shlex.quote(str(out))}")
