"""`roi`: extraction alone, to look at every image before anything is trained."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bearing_search.config import Geometry, PreprocessConfig, parse
from bearing_search.data.dataset import load_data_set
from bearing_search.data.image_folder import ImageFolder, find_images
from bearing_search.data.readers import reader_of
from bearing_search.data.samples import Sample
from bearing_search.errors import ConfigError, DataError
from bearing_search.preprocess.report.contact_sheets import summary, write_csv, write_sheets
from bearing_search.preprocess.report.extraction import PartExtraction, look_at_part


def roi(
    data: Annotated[Path, typer.Argument(help="A data set, or a folder of pictures.")],
    part: Annotated[str | None, typer.Option(help="Only this part.")] = None,
    geometry: Annotated[
        Geometry | None,
        typer.Option(help="How the region is found; needed for a plain folder of pictures."),
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
    """Extract every image's region of interest; write contact sheets, roi.csv and a summary."""
    pictures = _pictures(data, is_geometry_given=geometry is not None)
    by_part = _by_part(pictures, part, data)
    settings = _settings(radius_tolerance_px, ring_half_width_px)
    num_workers = workers or len(os.sched_getaffinity(0))
    reports: list[PartExtraction] = []
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        transient=True,
    ) as bars:
        for name, images in by_part.items():
            task = bars.add_task(name, total=2 * len(images.samples))
            chosen = geometry or settings.geometry_of(name)
            reports.append(
                look_at_part(
                    images,
                    chosen,
                    settings,
                    workers=num_workers,
                    adapt_tolerance=geometry is not None and radius_tolerance_px is None,
                    on_progress=partial(bars.advance, task),
                )
            )
    _write(reports, out)


def _pictures(data: Path, *, is_geometry_given: bool) -> ImageFolder:
    """A data set's samples; where it is none or has a flaw, whatever pictures there are."""
    try:
        return ImageFolder(samples=load_data_set(data).all_samples, flawed=())
    except DataError as error:
        if not data.is_dir() or reader_of(data) not in ("folders", None):
            raise
        found = find_images(data)
        is_data_set = any("train" in s.level_files[0].parts for s in found.samples)
        if is_data_set or is_geometry_given:
            return found
        raise DataError(
            f"{error} For a plain folder of pictures, say how the region is found: "
            "--geometry circle, inverted_circle or ellipse."
        ) from None


def _by_part(pictures: ImageFolder, part: str | None, data: Path) -> dict[str, ImageFolder]:
    every: list[Sample] = [*pictures.samples, *(sample for sample, _ in pictures.flawed)]
    parts = sorted({sample.part for sample in every})
    if part is not None and part not in parts:
        raise ConfigError(
            f"--part {part}: {data} has no such part; its parts are {', '.join(parts)}."
        )
    return {
        name: ImageFolder(
            samples=tuple(s for s in pictures.samples if s.part == name),
            flawed=tuple((s, reason) for s, reason in pictures.flawed if s.part == name),
        )
        for name in (parts if part is None else [part])
    }


def _settings(
    radius_tolerance_px: float | None, ring_half_width_px: float | None
) -> PreprocessConfig:
    given = {
        "radius_tolerance_px": radius_tolerance_px,
        "ring_half_width_px": ring_half_width_px,
    }
    circle = {name: value for name, value in given.items() if value is not None}
    return parse(PreprocessConfig, {"circle": circle})


def _write(reports: list[PartExtraction], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_csv(reports, out / "roi.csv")
    lines = [line for report in reports for line in summary(report)]
    (out / "summary.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    sheets = [file for report in reports for file in write_sheets(report, out)]
    print(f"look at {', '.join(str(file) for file in sheets)}; table: {out / 'roi.csv'}")
