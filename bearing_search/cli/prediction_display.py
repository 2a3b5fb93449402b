"""Rows of `predict` on stdout, as they come; progress and problems on stderr."""

import csv
import io
import json
import sys
import time
from collections.abc import Iterable
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from bearing_search.prediction.results import COLUMNS, SampleResult
from bearing_search.text.durations import format_duration
from bearing_search.text.printable import printable

Form = Literal["table", "json", "csv"]

QUIET_S, LINE_EVERY_S = 5.0, 10.0
"""Seconds before progress is shown at all, and between its lines."""

_MOST_NAME, _WORD = 44, 12
_STYLES = {"OK": "green", "NG": "bold red"}


class Rows:
    """Prints one row for each sample: a table, CSV, or a line of JSON."""

    def __init__(self, form: Form, console: Console, names: Iterable[str], *, parts: bool) -> None:
        self._form, self._console, self._parts = form, console, parts
        longest = max((cell_len(printable(name)) for name in names), default=0)
        self._name = min(_MOST_NAME, max(longest, len("sample")))
        if form == "csv":
            print(_csv_line(COLUMNS))
        elif form == "table":
            self._console.print(Text(self._line("verdict", "sample", "part", _HEADS), style="bold"))

    def print(self, result: SampleResult) -> None:
        """Print a sample's row at once."""
        if self._form == "json":
            print(json.dumps(result.as_json(), default=str), flush=True)
        elif self._form == "csv":
            row = result.as_row()
            print(_csv_line([_cell(row[name]) for name in COLUMNS]), flush=True)
        else:
            self._print_text(result)

    def _print_text(self, result: SampleResult) -> None:
        name = printable(result.sample, keep="")
        line = Text(self._line(result.word, name, result.part, _values(result)).rstrip())
        line.stylize(_STYLES.get(result.word, "bold yellow"), 0, len(result.word))
        self._console.print(line)

    def _line(self, word: str, name: str, part: str, values: tuple[str, ...]) -> str:
        if cell_len(name) > self._name:  # the end tells samples apart
            while cell_len(name) >= self._name:
                name = name[1:]
            name = f"…{name}"
        fields = [word.ljust(_WORD), set_cell_size(name, self._name)]
        fields += [set_cell_size(part, 6)] * self._parts
        score, limit, margin, place, took = values
        fields += [score.rjust(9), limit.rjust(9), margin.rjust(9), took.rjust(7), f" {place}"]
        return " ".join(fields)


_HEADS = ("score", "NG from", "margin", "largest region: area at (x, y)", "ms")


class ProgressLines:
    """`37 of 113 judged, about 0:40 left`, on stderr, once a run takes longer than 5 s."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0
        self._begun = self._last = self._first = time.monotonic()
        self._is_terminal = sys.stderr.isatty() and not sys.stdout.isatty()
        self._shows = False

    def advance(self) -> None:
        """One more sample is done."""
        self._done += 1
        now = time.monotonic()
        if self._done == 1:
            self._first = now  # until here it also loaded the network
        every = 1.0 if self._is_terminal else LINE_EVERY_S
        if now - self._begun < QUIET_S or (self._shows and now - self._last < every):
            return
        if not 1 < self._done < self._total:
            return
        self._last, self._shows = now, True
        each = (now - self._first) / (self._done - 1)
        left = format_duration(each * (self._total - self._done))
        text = f"{self._done} of {self._total} judged, about {left} left"
        if self._is_terminal:  # one line that changes
            print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Remove the line that changes."""
        if self._shows and self._is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _values(result: SampleResult) -> tuple[str, ...]:
    took = f"{result.seconds * 1000:.0f}"
    if result.score is None or result.thresholds is None:
        return ("-", "-", "-", "", took)
    place = ""
    if (found := result.region) is not None:
        place = f"{found.area_px:.0f} px at ({found.x:.0f}, {found.y:.0f})"
    return (
        f"{result.score:.4g}",
        f"{result.thresholds.ng:.4g}",
        f"{result.margin:+.3g}",
        place,
        took,
    )


def _cell(value: object) -> object:
    """A value of the CSV: nothing for None; text that a spreadsheet would run is quoted."""
    if value is None:
        return ""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):
        return f"'{value}"
    return value


def _csv_line(values: Iterable[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(list(values))
    return buffer.getvalue()
