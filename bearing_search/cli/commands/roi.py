"""`roi`: finds the region of interest of every image, for inspection before training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bearing_search.cli.output import say
from bearing_search.config import Geometry

if TYPE_CHECKING:
    from bearing_search.preprocess.report.extraction import PartExtraction


def roi(
    data: Annotated[Path, typer.Argument(help="A data set, or a folder of images.")],
    part: Annotated[str | None, typer.Option(help="Only this part.")] = None,
    geometry: Annotated[
        Geometry | None,
        typer.Option(help="How the region is found; needed for a plain folder of images."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for sheets, roi.csv, summary.txt.")] = Path(
        "roi"
    ),
    radius_tolerance_px: Annotated[
        float | None,
        typer.Option(help="Delta_r. A plain folder's own spread may widen the default."),
    ] = None,
    ring_half_width_px: Annotated[
        float | None, typer.Option(help="Delta c_r: how far the kept ring reaches.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes; 0: one for each core.", min=0)] = 0,
) -> None:
    """Find the region of interest of every image; write contact sheets, roi.csv, a summary."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from bearing_search.api.regions import RegionRequest, extract_regions

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    asked = RegionRequest(
        part=part,
        geometry=geometry,
        radius_tolerance_px=radius_tolerance_px,
        ring_half_width_px=ring_half_width_px,
        workers=workers,
    )
    with Progress(*columns, transient=True) as bars:

        def begin(name: str, total: int) -> Callable[[], None]:
            return partial(bars.advance, bars.add_task(name, total=total))

        reports = extract_regions(data, asked, begin)
    _write(reports, out)


def _write(reports: Sequence[PartExtraction], out: Path) -> None:
    from bearing_search.preprocess.report.contact_sheets import summary, write_csv, write_sheets

    out.mkdir(parents=True, exist_ok=True)
    write_csv(list(reports), out / "roi.csv")
    lines = [line for report in reports for line in summary(report)]
    (out / "summary.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    say("\n".join(lines))
    sheets = [file for report in reports for file in write_sheets(report, out)]
    say(f"look at {', '.join(str(file) for file in sheets)}; table: {out / 'roi.csv'}")
