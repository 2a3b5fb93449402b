"""Report on the extraction of all samples: contact sheets, `roi.csv` and a summary."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bearing_search.plots import montage
from bearing_search.preprocess.report.extraction import TOLD_FROM, ExtractionRow, PartExtraction
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
    "cut_away",
    "reason",
)
"""Columns of roi.csv; lengths in pixels of the original image, axes at full length; `cut_away` is
the share of the part outside the crop."""

TILES_PER_SHEET = 60


def write_csv(reports: Sequence[PartExtraction], file: Path) -> None:
    """Write one line per sample; numbers have three decimals."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(_line(row) for report in reports for row in report.rows)


def write_sheets(report: PartExtraction, folder: Path) -> list[Path]:
    """Write one part's contact sheets, without ROI first, then with a note; return the files."""
    ordered = sorted(report.rows, key=lambda row: (row.is_found, not row.notes))
    starts = range(0, len(ordered), TILES_PER_SHEET)
    files = []
    for number, start in enumerate(starts, start=1):
        name = report.part.replace("/", "-") + (f"_{number}" if len(starts) > 1 else "")
        file = folder / f"sheet_{name}.png"
        shown = ordered[start : start + TILES_PER_SHEET]
        montage.write_png(
            montage.grid([row.picture for row in shown], columns=min(3, len(shown))), file
        )
        files.append(file)
    return files


def summary(report: PartExtraction) -> list[str]:
    """Lines of text: number found, spreads, lost regions, and every sample without ROI."""
    found = [row for row in report.rows if row.is_found]
    unreadable = sum(row.is_unreadable for row in report.rows)
    missing = len(report.rows) - len(found) - unreadable
    lines = [
        f"{report.part} ({report.geometry}): found {len(found)} of {len(report.rows)} "
        f"({100 * len(found) / len(report.rows):.1f} %), no ROI {missing}, unusable {unreadable}"
    ]
    shapes = [row.outcome for row in found if isinstance(row.outcome, Circle | Ellipse)]
    lines += [f"  {line}" for line in _spreads(shapes, report)]
    lines += _cut_away(found)
    lost = [row for row in report.rows if row.lost_regions]
    if lost:
        regions = sum(row.lost_regions for row in lost)
        lines.append(
            f"  {regions} marked regions lie entirely outside the ROI and cannot be found, in "
            f"{', '.join(row.sample.title for row in lost)}"
        )
    noted = [row for row in found if row.notes]
    if noted:
        lines.append(
            f"  {len(noted)} with a note, the first: {noted[0].sample.title}: "
            + (noted[0].notes[0])
        )
    lines += [f"  {row.outcome}" for row in report.rows if isinstance(row.outcome, str)]
    return lines


def _cut_away(found: Sequence[ExtractionRow]) -> list[str]:
    most = max(found, key=lambda row: row.cut_away, default=None)
    if most is None or most.cut_away < TOLD_FROM:
        return []
    word = "ring" if isinstance(most.outcome, Circle) else "ellipse"
    return [
        f"  the crop cuts away {np.median([row.cut_away for row in found]):.0%} of the {word} in "
        f"the median, at most {most.cut_away:.0%} ({most.sample.title})"
    ]


def _spreads(shapes: Sequence[Circle | Ellipse], report: PartExtraction) -> list[str]:
    if not shapes:
        return []
    sizes = [s.radius if isinstance(s, Circle) else s.semi_major for s in shapes]
    word = "radius" if isinstance(shapes[0], Circle) else "half major axis"
    tolerance = report.config.circle.radius_tolerance_px
    band = (
        f"; accepted: mean {report.reference.mean_radius_px:.1f} +- {tolerance:g}"
        if (report.reference is not None and report.reference.mean_radius_px)
        else ""
    )
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


def _line(row: ExtractionRow) -> dict[str, object]:
    values: dict[str, object] = {
        "part": row.sample.part,
        "split": row.sample.split,
        "sample": row.sample.name,
        "status": "found" if row.is_found else "no_roi",
        "candidates": row.num_candidates,
        "cut_away": row.cut_away if row.is_found else "",
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
