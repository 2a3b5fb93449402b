"""The table as one HTML file that needs no other: pictures are inside, every text is escaped."""

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from bearing_search.analysis.intervals import Interval
from bearing_search.reproduction.measure import ComparisonRow, TableData
from bearing_search.reproduction.open_choices import CHOICES
from bearing_search.reproduction.pages import DIFFERENCE, value_rows
from bearing_search.reproduction.published import (
    ENCODER_STATES,
    MEAN,
    EncoderState,
    table_metrics,
)
from bearing_search.reproduction.texts import (
    Facts,
    conclusions,
    detector_title,
    how_measured,
    how_sure,
    metric_title,
    paper_label,
    warnings_of,
)

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2329; background: #fff; margin: 2.5rem auto;
  max-width: 92rem; padding: 0 1.5rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; }
.question { color: #56606b; margin-top: 0; }
ul { padding-left: 1.2rem; } li { margin: .25rem 0; max-width: 62rem; }
.notice { background: #fff6e0; border-left: 4px solid #d99a1c; padding: .4rem 1rem; }
.notice ul { margin: .3rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .84rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; border-bottom: 2px solid #1d2329; padding: .3rem .6rem;
  white-space: nowrap; }
td { border-bottom: 1px solid #e3e7eb; padding: .3rem .6rem; vertical-align: top;
  white-space: nowrap; }
tr.first td { border-top: 2px solid #9aa4ae; } tr.mean td { background: #f4f6f8; }
tr.floor td { color: #56606b; }
.low { display: block; color: #56606b; font-size: .92em; } .paper { display: block;
  color: #7a4f9e; font-size: .92em; }
.higher, .low.higher { color: #0b6b3a; font-weight: 600; }
.lower, .low.lower { color: #a3221b; font-weight: 600; }
.undecided { color: #56606b; }
img { max-width: 100%; height: auto; border: 1px solid #e3e7eb; margin: .4rem 0; display: block; }
figcaption { color: #56606b; font-size: .84rem; } figure { margin: 0 0 1rem; }
pre { background: #f4f6f8; padding: .8rem; overflow-x: auto; font-size: .82rem; }
"""


def html_page(
    measured: TableData,
    facts: Facts,
    figures: Mapping[str, Sequence[Path]],
    choices: Sequence[tuple[str, ...]],
) -> str:
    """The page.

    Args:
        figures: heading -> PNG files, which are put into the page.
        choices: what the paper leaves open: a header and one row per question; may be empty.
    """
    pieces = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(facts.name)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(facts.name)}</h1>",
        f'<p class="question">{escape(facts.question)}</p>',
        f'<div class="notice">{_list(warnings_of(measured, facts))}</div>',
        "<h2>What may be concluded</h2>",
        _list(conclusions(measured)),
        _list(how_sure(measured)),
        "<h2>Table 2</h2>",
        f"<p>Below each value: its 95 % interval, and <span class='paper' style='display:inline'>"
        f"the number of the {escape(paper_label(measured, facts))}</span>.</p>",
        _scroll(_values(measured)),
        f"<h2>{DIFFERENCE}</h2>",
        _scroll(_differences(measured)),
        "<h2>How it was measured</h2>",
        _list(how_measured(measured, facts)),
    ]
    for heading, files in figures.items():
        pieces += [f"<h2>{escape(heading)}</h2>", *map(_picture, files)]
    if choices:
        pieces += [f"<h2>{CHOICES}</h2>", _scroll(_plain_table(choices))]
    versions = "".join(f"{name} {number}\n" for name, number in facts.versions.items())
    pieces += [
        f"<h2>Provenance</h2><p>Data: {escape(facts.data)}</p>",
        f"<pre>{escape(versions)}</pre><pre>{escape(facts.space_text)}</pre></body></html>",
    ]
    return "\n".join(pieces) + "\n"


def _values(measured: TableData) -> Iterator[str]:
    yield _header("model", "part", "encoder")
    before, metrics = None, table_metrics()
    for detector, part, kind in value_rows(measured):
        lines = [measured.line(detector or measured.detectors[0], part, m) for m in metrics]
        marks = ["first"] if detector != before else []
        marks += ["mean"] if part == MEAN else []
        before = detector
        if kind == "floor":
            cells = ["one score for everything", part, "floor"]
            numbers = [_number(x.floor) for x in lines]
            yield _row([*map(escape, cells), *numbers], [*marks, "floor"])
            continue
        encoder: EncoderState = next(state for state in ENCODER_STATES if state == kind)
        head = [detector_title(detector), part, encoder]
        yield _row([*map(escape, head), *(_value(x, encoder) for x in lines)], marks)


def _differences(measured: TableData) -> Iterator[str]:
    yield _header("model", "part")
    metrics = table_metrics()
    for detector in measured.detectors:
        for part in measured.rows:
            lines = [measured.line(detector, part, metric) for metric in metrics]
            head = map(escape, (detector_title(detector), part))
            marks = ["mean"] if part == MEAN else []
            yield _row([*head, *map(_difference, lines)], marks)


def _header(*names: str) -> str:
    titles = [*names, *map(metric_title, table_metrics())]
    return f"<tr>{''.join(f'<th>{escape(title)}</th>' for title in titles)}</tr>"


def _row(cells: Sequence[str], marks: Sequence[str]) -> str:
    inside = "".join(f"<td>{content}</td>" for content in cells)
    return f'<tr class="{" ".join(marks)}">{inside}</tr>'


def _value(line: ComparisonRow, encoder: EncoderState) -> str:
    printed = line.paper[encoder]
    paper = f'<span class="paper">{printed:.4f}</span>' if printed is not None else ""
    return f"{_number(line.values[encoder].value)}{_bounds(line.values[encoder], '.3f')}{paper}"


def _difference(line: ComparisonRow) -> str:
    if math.isnan(line.difference.value):
        return "-"
    bounds = _bounds(line.difference, "+.3f")
    if not line.verdict:
        return f"{line.difference.value:+.4f}{bounds}"
    return (
        f'<span class="{line.verdict}">{line.difference.value:+.4f} {line.verdict}</span>{bounds}'
    )


def _bounds(interval: Interval, form: str) -> str:
    if math.isnan(interval.low):
        return ""
    return f'<span class="low">{interval.low:{form}} to {interval.high:{form}}</span>'


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _list(texts: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


def _plain_table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    header, *others = rows
    yield f"<tr>{''.join(f'<th>{escape(title)}</th>' for title in header)}</tr>"
    for row in others:
        inside = "".join(f'<td style="white-space:normal">{escape(text)}</td>' for text in row)
        yield f"<tr>{inside}</tr>"


def _scroll(rows: Iterator[str]) -> str:
    return f'<div class="scroll"><table>{"".join(rows)}</table></div>'


def _picture(file: Path) -> str:
    encoded = base64.b64encode(file.read_bytes()).decode()
    name = escape(file.name, quote=True)
    return (
        f'<figure><img alt="{name}" src="data:image/png;base64,{encoded}">'
        f"<figcaption>{name}</figcaption></figure>"
    )
