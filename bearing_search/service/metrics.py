"""Counts and times in the text format of Prometheus (version 0.0.4)."""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

from bearing_search.prediction.results import JUDGED, Outcome
from bearing_search.runtime.verdict import Word
from bearing_search.service.refusals import WHYS, Why

BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the histograms' buckets."""

WORDS: tuple[Outcome, ...] = (
    *JUDGED,
    *(word for word in get_args(Word) if word not in JUDGED),
    "wrong light",
)
"""Every word that a sample can get; each is counted from 0."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "bearing_search_"


@dataclass(slots=True)
class Histogram:
    """Numbers of durations up to each bound, and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    total_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count a duration."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds

    def lines(self, name: str, meaning: str) -> Iterator[str]:
        """The histogram as text."""
        yield from _head(name, meaning, "histogram")
        below = 0
        for bound, count in zip((*BOUNDS_S, None), self.counts, strict=True):
            below += count
            label = "+Inf" if bound is None else f"{bound:g}"
            yield f'{_PREFIX}{name}_bucket{{le="{label}"}} {below}'
        yield f"{_PREFIX}{name}_sum {self.total_s:.6f}"
        yield f"{_PREFIX}{name}_count {below}"


@dataclass(slots=True)
class Metrics:
    """What has happened since the start; may be used by several threads."""

    verdicts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    latency: Histogram = field(default_factory=Histogram)
    judging: Histogram = field(default_factory=Histogram)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_verdict(self, word: str, *, judging_s: float, latency_s: float) -> None:
        """Count a verdict, with the time of judging and the time since it was accepted."""
        with self._lock:
            self.verdicts[word] += 1
            self.judging.add(judging_s)
            self.latency.add(latency_s)

    def add_refusal(self, why: Why) -> None:
        """Count a request that was refused."""
        with self._lock:
            self.refused[why] += 1

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Everything as text.

        Args:
            gauges: name -> meaning, and value now.
        """
        with self._lock:
            lines = [*_head("verdicts_total", "Samples by verdict.", "counter")]
            lines += [_count("verdicts_total", "verdict", one, self.verdicts) for one in WORDS]
            lines += _head("refused_total", "Requests that were refused, by reason.", "counter")
            lines += [_count("refused_total", "reason", one, self.refused) for one in WHYS]
            lines += self.latency.lines(
                "latency_seconds", "Time from the accepted upload to the verdict."
            )
            lines += self.judging.lines("judging_seconds", "Time from the files to the verdict.")
        for name, (meaning, value) in gauges.items():
            lines += [*_head(name, meaning, "gauge"), f"{_PREFIX}{name} {value:g}"]
        return "\n".join(lines) + "\n"


def _head(name: str, meaning: str, kind: str) -> Iterator[str]:
    yield f"# HELP {_PREFIX}{name} {meaning}"
    yield f"# TYPE {_PREFIX}{name} {kind}"


def _count(name: str, label: str, value: str, counts: Counter[str]) -> str:
    return f'{_PREFIX}{name}{{{label}="{value}"}} {counts[value]}'
