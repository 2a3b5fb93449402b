"""The table as a self-contained HTML page, with embedded pictures and all text escaped."""

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined

from bearing_search.analysis.intervals import Interval
from bearing_search.reproduction.measure import ComparisonRow, TableData
from bearing_search.reproduction.open_choices import CHOICES
from bearing_search.reproduction.pages import (
    BY_KIND,
    DIFFERENCE,
    KIND_COLUMNS,
    KINDS_ARE,
    kind_cells,
    value_rows,
)
from bearing_search.reproduction.published import (
    ENCODER_STATES,
    MEAN,
    EncoderState,
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

_PAGE = (
    """{% macro listed(texts) -%}
<ul>{% for text in texts %}<li>{{ text }}</li>{% endfor %}</ul>
{%- endmacro -%}
{% macro table(titles, rows) -%}
<div class="scroll"><table><tr>{% for title in titles %}<th>{{ title }}</th>{% endfor %}</tr>
{%- for row in rows %}<tr class="{{ row.marks }}">
{%- for text in row.head %}<td>{{ text }}</td>{% endfor %}
{%- for cell in row.cells %}<td>
{%- if cell.verdict %}<span class="{{ cell.verdict }}">{{ cell.value }} {{ cell.verdict }}</span>
{%- else %}{{ cell.value }}{% endif %}
{%- if cell.bounds %}<span class="low">{{ cell.bounds }}</span>{% endif %}
{%- if cell.paper %}<span class="paper">{{ cell.paper }}</span>{% endif %}</td>{% endfor %}</tr>
{%- endfor %}</table></div>
{%- endmacro -%}
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ facts.name }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>"""
    + _STYLE
    + """</style></head><body>
<h1>{{ facts.name }}</h1>
<p class="question">{{ facts.question }}</p>
<div class="notice">{{ listed(warnings) }}</div>
<h2>Conclusions</h2>
{{ listed(conclusions) }}
{{ listed(how_sure) }}
<h2>Table 2</h2>
<p>Below each value: its 95 % interval, and <span class='paper' style='display:inline'>
{#- #}the value from the {{ paper }}</span>.</p>
{{ table(["model", "part", "encoder"] + metrics, values) }}
<h2>{{ difference }}</h2>
{{ table(["model", "part"] + metrics, differences) }}
<h2>How it was measured</h2>
{{ listed(how_measured) }}
{% if kinds %}<h2>{{ by_kind }}</h2>
<p>{{ kinds_are }}</p>
{{ table(kind_columns, kinds) }}
{% endif -%}
{% for heading, files in figures.items() %}<h2>{{ heading }}</h2>
{% for file in files -%}
<figure><img alt="{{ file.name }}" src="data:image/png;base64,{{ encoded(file) }}">
{#- #}<figcaption>{{ file.name }}</figcaption></figure>
{% endfor %}{% endfor %}
{%- if choices %}<h2>{{ choices_title }}</h2>
<div class="scroll"><table><tr>{% for title in choices[0] %}<th>{{ title }}</th>{% endfor %}</tr>
{%- for row in choices[1:] %}<tr>
{%- for text in row %}<td style="white-space:normal">{{ text }}</td>{% endfor %}</tr>
{%- endfor %}</table></div>
{% endif %}<h2>Provenance</h2><p>Data: {{ facts.data }}</p>
<pre>{% for name, number in facts.versions.items() %}{{ name }} {{ number }}
{% endfor %}</pre><pre>{{ facts.space_text }}</pre></body></html>
"""
)


class _Cell(NamedTuple):
    value: str
    bounds: str = ""
    paper: str = ""
    verdict: str = ""


class _Row(NamedTuple):
    marks: str
    head: tuple[str, ...]
    cells: list[_Cell]


def html_page(
    measured: TableData,
    facts: Facts,
    figures: Mapping[str, Sequence[Path]],
    choices: Sequence[tuple[str, ...]],
) -> str:
    """The table, figures and conclusions as an HTML page.

    Args:
        measured: the numbers.
        facts: further facts about the reproduction.
        figures: heading -> PNG files to embed.
        choices: what the paper leaves open, as a header and one row per question; may be empty.
    """
    page = Environment(
        autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    ).from_string(_PAGE)
    return page.render(
        facts=facts,
        warnings=warnings_of(measured, facts),
        conclusions=conclusions(measured),
        how_sure=how_sure(measured),
        how_measured=how_measured(measured, facts),
        paper=paper_label(measured, facts),
        metrics=[metric_title(metric) for metric in measured.metrics],
        values=_values(measured),
        difference=DIFFERENCE,
        differences=_differences(measured),
        by_kind=BY_KIND,
        kinds_are=KINDS_ARE,
        kind_columns=KIND_COLUMNS,
        kinds=[_Row("", kind_cells(row), []) for row in measured.kinds],
        figures=figures,
        encoded=lambda file: base64.b64encode(file.read_bytes()).decode(),
        choices_title=CHOICES,
        choices=choices,
    )


def _values(measured: TableData) -> Iterator[_Row]:
    before, metrics = None, measured.metrics
    for detector, part, kind in value_rows(measured):
        lines = [measured.line(detector or measured.detectors[0], part, m) for m in metrics]
        marks = ["first"] if detector != before else []
        marks += ["mean"] if part == MEAN else []
        before = detector
        if kind == "floor":
            head = ("constant score", part, "floor")
            yield _Row(" ".join([*marks, "floor"]), head, [_Cell(_number(x.floor)) for x in lines])
            continue
        encoder: EncoderState = next(state for state in ENCODER_STATES if state == kind)
        head = (detector_title(detector), part, encoder)
        yield _Row(" ".join(marks), head, [_value(x, encoder) for x in lines])


def _differences(measured: TableData) -> Iterator[_Row]:
    for detector in measured.detectors:
        for part in measured.rows:
            lines = [measured.line(detector, part, metric) for metric in measured.metrics]
            marks = "mean" if part == MEAN else ""
            yield _Row(marks, (detector_title(detector), part), [_difference(x) for x in lines])


def _value(line: ComparisonRow, encoder: EncoderState) -> _Cell:
    found, printed = line.values[encoder], line.paper[encoder]
    return _Cell(
        _number(found.value),
        bounds=_bounds(found, ".3f"),
        paper=f"{printed:.4f}" if printed is not None else "",
    )


def _difference(line: ComparisonRow) -> _Cell:
    found = line.difference
    if math.isnan(found.value):
        return _Cell("-")
    return _Cell(f"{found.value:+.4f}", bounds=_bounds(found, "+.3f"), verdict=line.verdict)


def _bounds(interval: Interval, form: str) -> str:
    return "" if math.isnan(interval.low) else f"{interval.low:{form}} to {interval.high:{form}}"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
