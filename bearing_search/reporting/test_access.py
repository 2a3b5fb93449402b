"""How often a sweep's test set was opened: what every later page must say."""

import json
from dataclasses import dataclass
from pathlib import Path

EVALUATION = "evaluate/evaluation.json"
"""Where `evaluate` keeps what it found, below a sweep's folder."""


@dataclass(frozen=True, slots=True)
class TestAccessLog:
    """Looks at a test set."""

    times: int
    last: str
    """When, in ISO 8601; empty: never."""

    @property
    def text(self) -> str:
        """`Test opened 2 times, last 2026-11-23T20:00:00+00:00.`"""
        if not self.times:
            return "Test has not been opened."
        times = "once" if self.times == 1 else f"{self.times} times"
        return f"Test opened {times}, last {self.last}."


def test_access_log(sweep_folder: Path) -> TestAccessLog:
    """What the sweep's own evaluation has counted."""
    file = sweep_folder / EVALUATION
    if not file.exists():
        return TestAccessLog(0, "")
    found = json.loads(file.read_text(encoding="utf-8"))
    return TestAccessLog(found["times_opened"], found["opened"])
