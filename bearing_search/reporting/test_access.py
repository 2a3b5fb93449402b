"""Records how often a sweep's test set was opened, which every report states."""

import json
from dataclasses import dataclass
from pathlib import Path

EVALUATION = "evaluate/evaluation.json"
"""Path of the result of `evaluate`, relative to a sweep's folder."""


@dataclass(frozen=True, slots=True)
class TestAccessLog:
    """How often a test set was opened."""

    times: int
    last: str
    """Time of the last access, in ISO 8601; empty: never."""

    @property
    def text(self) -> str:
        """`Test opened 2 times, last 2026-11-23T20:00:00+00:00.`"""
        if not self.times:
            return "Test has not been opened."
        times = "once" if self.times == 1 else f"{self.times} times"
        return f"Test opened {times}, last {self.last}."


def test_access_log(sweep_folder: Path) -> TestAccessLog:
    """Read how often `evaluate` has opened the sweep's test set."""
    file = sweep_folder / EVALUATION
    if not file.exists():
        return TestAccessLog(0, "")
    found = json.loads(file.read_text(encoding="utf-8"))
    return TestAccessLog(found["times_opened"], found["opened"])
