"""Extraction alone, over all samples: contact sheets, `roi.csv` and a summary to look at."""

import csv
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bearing_search.config import Geometry, PreprocessConfig
from bearing_search.data.samples import Sample, read_image
from bearing_search.errors import DataError, RoiNotFoundError
from bearing_search.preprocess.drawing import Picture, blank_tile, sheet, tile
from bearing_search.preprocess.locate import (
    Detection,
    NoRoi,
    RoiReference,
    detect,
    estimate_reference,
)
from bearing_search.preprocess.pipeline import Roi, extract
from bearing_search.preprocess.shapes import Circle, Ellipse

COLUMNS = (
    "part",
    "split",
    "sample",
    "status",
    "shape",
    "cx",
    "cy",
    "r",
    "axis_major",
    "axis_minor",
    "angle_deg",
    "candidates",
    "reason",
)
"""Of roi.csv; lengths in pixels of the original image, axes from end to end."""

TILES_PER_SHEET = 60
POOL_FROM = 24
"""With fewer samples, starting processes takes longer than they save."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one sample."""

    sample: Sample
    outcome: Circle | Ellipse | str | None
    """The shape; None for a part that is used whole; the reason where there is no ROI."""

    is_unreadable: bool
    num_candidates: int
    lost_regions: int
    lost_pixels: int
    notes: tuple[str, ...]
    picture: Picture

    @property
    def is_found(self) -> bool:
        """Whether the sample has a region of interest."""
        return not isinstance(self.outcome, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReport:
    """All rows of one part, with what they were judged by."""

    part: str
    geometry: Geometry
    config: PreprocessConfig
    reference: RoiReference | None
    rows: tuple[Row, ...]


def look_at_part(
    samples: Sequence[Sample],
    flawed: Sequence[tuple[Sample, str]],
    geometry: Geometry,
    config: PreprocessConfig,
    *,
    workers: int,
    adapt_tolerance: bool,
    on_progress: Callable[[], None] = lambda: None,
) -> PartReport:
    """Both passes over one part, on several processes.

    Args:
        samples: of one part; the reference is estimated on those of the training split.
        flawed: samples that cannot be tried, with the reason.
        workers: how many processes share the work.
        adapt_tolerance: widen radius_tolerance_px to what the radii of the pictures themselves
            ask for; for a folder of pictures of which nothing is known.
        on_progress: told after each of the two passes over each sample.
    """
    part = (samples or [sample for sample, _ in flawed])[0].part
    config = replace(config, geometry={part: geometry})
    with _pool(workers if len(samples) >= POOL_FROM else 1) as each:
        detections: list[Detection | str] = []
        for detection in each(partial(_detected, geometry=geometry, config=config), samples):
            detections.append(detection)
            on_progress()
        reference, failure = _reference(part, geometry, samples, detections, config)
        if adapt_tolerance and reference is not None and reference.mean_radius_px:
            config = _adapted(config, reference, detections)
        work = partial(_row, reference=reference, failure=failure, config=config)
        rows: list[Row] = []
        for row in each(work, list(zip(samples, detections, strict=True))):
            rows.append(row)
            on_progress()
    rows += [_unreadable(sample, reason) for sample, reason in flawed]
    return PartReport(
        part=part, geometry=geometry, config=config, reference=reference, rows=tuple(rows)
    )


def write_csv(reports: Sequence[PartReport], file: Path) -> None:
    """One line a sample; numbers with three digits."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(_line(row) for report in reports for row in report.rows)


def write_sheets(report: PartReport, folder: Path) -> list[Path]:
    """Contact sheets of one part, those without ROI first; returns the files."""
    ordered = sorted(report.rows, key=lambda row: row.is_found)
    starts = range(0, len(ordered), TILES_PER_SHEET)
    files = []
    for number, start in enumerate(starts, start=1):
        name = report.part.replace("/", "-") + (f"_{number}" if len(starts) > 1 else "")
        file = folder / f"sheet_{name}.png"
        pixels = sheet([row.picture for row in ordered[start : start + TILES_PER_SHEET]])
        _, encoded = cv2.imencode(".png", pixels[..., ::-1])
        file.write_bytes(encoded.tobytes())
        files.append(file)
    return files


def summary(report: PartReport) -> list[str]:
    """Lines to read: found, spreads, what is lost, and every sample without ROI."""
    found = [row for row in report.rows if row.is_found]
    unreadable = sum(row.is_unreadable for row in report.rows)
    missing = len(report.rows) - len(found) - unreadable
    lines = [
        f"{report.part} ({report.geometry}): found {len(found)} of {len(report.rows)} "
        f"({100 * len(found) / len(report.rows):.1f} %), no ROI {missing}, unusable {unreadable}"
    ]
    shapes = [row.outcome for row in found if isinstance(row.outcome, Circle | Ellipse)]
    lines += [f"  {line}" for line in _spreads(shapes, report)]
    lost = [row for row in report.rows if row.lost_regions]
    if lost:
        regions = sum(row.lost_regions for row in lost)
        lines.append(
            f"  {regions} marked regions lie wholly outside the ROI and cannot be found, in "
            f"{', '.join(row.sample.title for row in lost)}"
        )
    noted = [row for row in found if row.notes]
    if noted:
        lines.append(f"  {len(noted)} with a note, the first: {noted[0].sample.title}: " + (
            noted[0].notes[0]
        ))
    lines += [f"  {row.outcome}" for row in report.rows if isinstance(row.outcome, str)]
    return lines


def _spreads(shapes: Sequence[Circle | Ellipse], report: PartReport) -> list[str]:
    if not shapes:
        return []
    sizes = [s.radius if isinstance(s, Circle) else s.semi_major for s in shapes]
    word = "radius" if isinstance(shapes[0], Circle) else "half major axis"
    tolerance = report.config.circle.radius_tolerance_px
    band = f"; accepted: mean {report.reference.mean_radius_px:.1f} +- {tolerance:g}" if (
        report.reference is not None and report.reference.mean_radius_px
    ) else ""
    x, y = np.std([s.x for s in shapes]), np.std([s.y for s in shapes])
    lines = [
        f"{word} {np.median(sizes):.1f} px in the median, spread {np.std(sizes):.2f}, "
        f"from {min(sizes):.1f} to {max(sizes):.1f}{band}",
        f"centre spread {x:.1f} px in x, {y:.1f} px in y",
    ]
    if report.reference is not None and max(report.reference.crop_px) > 0:
        lines.append(
            f"crop around ({report.reference.centre[0]:.1f}, {report.reference.centre[1]:.1f}): "
            f"preprocess.ellipse.crop_px {list(report.reference.crop_px)}"
        )
    return lines


def _detected(sample: Sample, *, geometry: Geometry, config: PreprocessConfig) -> Detection | str:
    try:
        return detect(read_image(sample.level_files[0]), geometry, config)
    except DataError as error:
        return str(error)


def _reference(
    part: str,
    geometry: Geometry,
    samples: Sequence[Sample],
    detections: Sequence[Detection | str],
    config: PreprocessConfig,
) -> tuple[RoiReference | None, str]:
    """The reference of the training split, or why there is none."""
    training = [
        detection
        for sample, detection in zip(samples, detections, strict=True)
        if sample.split == "train" and isinstance(detection, Detection)
    ]
    try:
        return estimate_reference(part, geometry, training, config), ""
    except RoiNotFoundError as error:
        return None, str(error)


def _adapted(
    config: PreprocessConfig, reference: RoiReference, detections: Sequence[Detection | str]
) -> PreprocessConfig:
    """The tolerance widened to four robust standard deviations of the first pass's radii."""
    known = [d for d in detections if isinstance(d, Detection)]
    alone = [
        estimate_reference(reference.part, reference.geometry, [d], config).mean_radius_px
        for d in known
        if d.candidates and _has_guess(d, reference, config)
    ]
    away = float(np.median(np.abs(np.array(alone) - reference.mean_radius_px)))
    wide = max(config.circle.radius_tolerance_px, 4 * 1.4826 * away)
    return replace(config, circle=replace(config.circle, radius_tolerance_px=round(wide, 1)))


def _has_guess(detection: Detection, reference: RoiReference, config: PreprocessConfig) -> bool:
    try:
        estimate_reference(reference.part, reference.geometry, [detection], config)
    except RoiNotFoundError:
        return False
    return True


def _row(
    pair: tuple[Sample, Detection | str],
    *,
    reference: RoiReference | None,
    failure: str,
    config: PreprocessConfig,
) -> Row:
    sample, detection = pair
    if isinstance(detection, str):
        return _unreadable(sample, detection)
    closest = detection.candidates[0] if detection.candidates else None
    outcome: Roi | NoRoi = NoRoi(reason=f"{sample.title}: {failure}", closest=closest)
    try:
        if reference is not None:
            outcome = extract(sample, reference, config, detection)
        image = read_image(sample.level_files[0])
    except DataError as error:
        return _unreadable(sample, str(error))
    is_found = isinstance(outcome, Roi)
    caption = f"{sample.title}: {'found' if is_found else 'no ROI'}"
    if isinstance(outcome, NoRoi):
        caption += "\n" + outcome.reason.removeprefix(f"{sample.title}: ")
    return Row(
        sample=sample,
        outcome=outcome.shape if isinstance(outcome, Roi) else outcome.reason,
        is_unreadable=False,
        num_candidates=len(detection.candidates),
        lost_regions=outcome.lost_regions if isinstance(outcome, Roi) else 0,
        lost_pixels=outcome.lost_pixels if isinstance(outcome, Roi) else 0,
        notes=outcome.notes if isinstance(outcome, Roi) else (),
        picture=tile(image, detection, outcome, reference, config, caption=caption),
    )


def _unreadable(sample: Sample, reason: str) -> Row:
    return Row(
        sample=sample,
        outcome=reason,
        is_unreadable=True,
        num_candidates=0,
        lost_regions=0,
        lost_pixels=0,
        notes=(),
        picture=blank_tile(f"{sample.title}: unusable\n{reason}"),
    )


def _line(row: Row) -> dict[str, object]:
    values: dict[str, object] = {
        "part": row.sample.part,
        "split": row.sample.split,
        "sample": row.sample.name,
        "status": "found" if row.is_found else "no_roi",
        "candidates": row.num_candidates,
        "reason": row.outcome if isinstance(row.outcome, str) else "; ".join(row.notes),
    }
    match row.outcome:
        case Circle() as circle:
            values |= {"shape": "circle", "cx": circle.x, "cy": circle.y, "r": circle.radius}
        case Ellipse() as ellipse:
            values |= {
                "shape": "ellipse",
                "cx": ellipse.x,
                "cy": ellipse.y,
                "axis_major": 2 * ellipse.semi_major,
                "axis_minor": 2 * ellipse.semi_minor,
                "angle_deg": ellipse.angle_deg,
            }
        case None:
            values["shape"] = "none"
    return {
        name: f"{value:.3f}" if isinstance(value, float) else value
        for name, value in values.items()
    }


@contextmanager
def _pool(workers: int) -> Iterator[Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]]:
    """A `map` over processes, in order; in this process where there is one worker."""
    if workers <= 1:
        yield lambda function, items: map(function, items)
        return
    context = multiprocessing.get_context("spawn")  # fork would copy threads of OpenCV half-way
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        yield lambda function, items: pool.map(function, items, chunksize=2)
