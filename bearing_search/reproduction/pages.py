"""The table as CSV, JSON and Markdown."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bearing_search.analysis.intervals import Interval
from bearing_search.reproduction.measure import KindRow, TableData
from bearing_search.reproduction.published import ENCODER_STATES
from bearing_search.reproduction.texts import (
    Facts,
    conclusions,
    detector_title,
    how_measured,
    how_sure,
    metric_title,
    paper_label,
    show,
    show_difference,
    warnings_of,
)

DIFFERENCE = "EN_train - EN_pre"
BY_KIND = "By kind of defect"
KIND_COLUMNS = ("model", "part", "encoder", "kind", "found", "image AUROC", "pixel AP")
KINDS_ARE = (
    "Each kind against all normal samples, by the first seed. Found: at the threshold with the "
    "best F1 on test, which is optimistic. Kinds that training did not learn from are marked."
)
_KIND_FACTS = ("detector", "encoder", "part", "kind", "is_in_training", "samples")
COLUMNS = (
    "detector",
    "encoder",
    "part",
    "metric",
    "value",
    "low",
    "high",
    "seeds",
    "floor",
    "paper",
    "paper_is_of_this_data",
    "verdict",
)


def long_rows(measured: TableData, facts: Facts) -> list[dict[str, Any]]:
    """The table in long form: one row per detector, encoder (or difference), part and metric."""
    is_same = paper_label(measured, facts) == "paper"
    rows = []
    for line in measured.lines:
        if not measured.has(line.part, line.metric):
            continue
        about = {"detector": line.detector, "part": line.part, "metric": line.metric}
        shared = {"seeds": len(measured.seeds), "paper_is_of_this_data": is_same}
        rows += [
            about
            | shared
            | _numbers(line.values[encoder])
            | {
                "encoder": encoder,
                "floor": _number(line.floor),
                "paper": line.paper[encoder],
                "verdict": None,
            }
            for encoder in ENCODER_STATES
        ]
        before, after = (line.paper[encoder] for encoder in ENCODER_STATES)
        in_paper = round(after - before, 4) if before is not None and after is not None else None
        rows.append(
            about
            | shared
            | _numbers(line.difference)
            | {
                "encoder": DIFFERENCE,
                "floor": None,
                "paper": in_paper,
                "verdict": line.verdict or None,
            }
        )
    return [{column: row[column] for column in COLUMNS} for row in rows]


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The long rows as CSV with a header."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def json_text(measured: TableData, facts: Facts, rows: Sequence[Mapping[str, Any]]) -> str:
    """The long rows as JSON, with warnings and conclusions."""
    content = {
        "name": facts.name,
        "data": facts.data,
        "runs": measured.num_runs,
        "planned": facts.planned,
        "seeds": list(measured.seeds),
        "unmasked": dict(measured.unmasked),
        "warnings": warnings_of(measured, facts),
        "conclusions": [*conclusions(measured), *how_sure(measured)],
        "rows": list(rows),
        "kinds": [_plain_kind(row) for row in measured.kinds],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def markdown_page(
    measured: TableData, facts: Facts, figures: Mapping[str, Sequence[str]], choices: str
) -> str:
    """The table, conclusions and links to the figures as a Markdown page.

    Args:
        measured: the numbers.
        facts: further facts about the reproduction.
        figures: heading -> names of files in the page's folder.
        choices: what the paper leaves open, as Markdown; may be empty.
    """
    lines = [
        f"# {facts.name}",
        "",
        facts.question,
        "",
        *(f"* {text}" for text in warnings_of(measured, facts)),
        "",
        "## Conclusions",
        "",
        *(f"* {text}" for text in conclusions(measured)),
        "",
        *(f"* {text}" for text in how_sure(measured)),
        "",
        "## Table 2",
        "",
        *_values_table(measured, facts),
        "",
        f"## {DIFFERENCE}",
        "",
        *_difference_table(measured),
        "",
        *(f"* {text}" for text in how_measured(measured, facts)),
    ]
    if measured.kinds:
        lines += ["", f"## {BY_KIND}", "", KINDS_ARE, "", *_kinds_table(measured)]
    for heading, files in figures.items():
        lines += ["", f"## {heading}", "", *(f"![{file}]({file})" for file in files)]
    return "\n".join([*lines, "", choices]).rstrip() + "\n"


def value_rows(measured: TableData) -> Iterator[tuple[str, str, str]]:
    """Detector, part and kind (an encoder or `floor`) of each row of the table, in order."""
    for detector in measured.detectors:
        for part in measured.rows:
            yield from ((detector, part, encoder) for encoder in ENCODER_STATES)
    yield from (("", part, "floor") for part in measured.rows)


def _values_table(measured: TableData, facts: Facts) -> Iterator[str]:
    metrics = measured.metrics
    yield f"| model | part | encoder | {' | '.join(map(metric_title, metrics))} |"
    yield "| --- " * (3 + len(metrics)) + "|"
    label = paper_label(measured, facts)
    for detector, part, kind in value_rows(measured):
        lines = [measured.line(detector or measured.detectors[0], part, m) for m in metrics]
        if kind == "floor":
            values = [f"{x.floor:.4f}" if not math.isnan(x.floor) else "-" for x in lines]
            yield f"| constant score | {part} | floor | {' | '.join(values)} |"
            continue
        encoder = next(state for state in ENCODER_STATES if state == kind)
        shown = [show(x.values[encoder]) for x in lines]
        title = detector_title(detector)
        yield f"| {title} | {cell(part)} | {encoder} | {' | '.join(shown)} |"
        printed = [x.paper[encoder] for x in lines]
        if any(value is not None for value in printed):
            numbers = " | ".join("-" if v is None else f"*{v:.4f}*" for v in printed)
            yield f"| {title} | {part} | {encoder}, *{label}* | {numbers} |"


def _difference_table(measured: TableData) -> Iterator[str]:
    metrics = measured.metrics
    yield f"| model | part | {' | '.join(map(metric_title, metrics))} |"
    yield "| --- " * (2 + len(metrics)) + "|"
    for detector in measured.detectors:
        for part in measured.rows:
            lines = [measured.line(detector, part, metric) for metric in metrics]
            cells = [f"{show_difference(x.difference)} {x.verdict}".strip() for x in lines]
            yield f"| {detector_title(detector)} | {cell(part)} | {' | '.join(cells)} |"


def kind_cells(row: KindRow) -> tuple[str, ...]:
    """The cells of `KIND_COLUMNS` for one kind of defect."""
    kind = row.kind if row.is_in_training else f"{row.kind} (not in training)"
    low, high = row.found.low, row.found.high
    return (
        detector_title(row.detector),
        row.part,
        row.encoder,
        kind,
        f"{row.found.value * row.samples:.0f} of {row.samples} [{low:.0%}, {high:.0%}]",
        show(row.image_auroc),
        "no mask" if row.pixel_ap is None else show(row.pixel_ap),
    )


def _kinds_table(measured: TableData) -> Iterator[str]:
    yield f"| {' | '.join(KIND_COLUMNS)} |"
    yield "| --- " * len(KIND_COLUMNS) + "|"
    for row in measured.kinds:
        yield f"| {' | '.join(map(cell, kind_cells(row)))} |"


def _plain_kind(row: KindRow) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in _KIND_FACTS},
        "found": _numbers(row.found),
        "image_auroc": _numbers(row.image_auroc),
        "pixel_ap": None if row.pixel_ap is None else _numbers(row.pixel_ap),
    }


def cell(text: str) -> str:
    """The text escaped for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _numbers(interval: Interval) -> dict[str, float | None]:
    return {
        "value": _number(interval.value),
        "low": _number(interval.low),
        "high": _number(interval.high),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
