"""Records how often a sweep's test set was opened, which every report states."""

from dataclasses import dataclass
from pathlib import Path

from bearing_search.errors import DamagedFileError
from bearing_search.filesystem.stored_file import naming_damage, read_json_object

EVALUATION = "evaluate/evaluation.json"
"""Path of the result of `evaluate`, relative to a sweep's folder."""


@dataclass(frozen=True, slots=True)
class TestAccessLog:
    """How often a test set was opened."""

    times: int
    last: str
    """Time of the last access, in ISO 8601; empty: never, or unknown."""

    @property
    def text(self) -> str:
        """`Test opened 2 times, last 2026-11-23T20:00:00+00:00.`"""
        if not self.times:
            return "Test has not been opened."
        if not self.last:
            return f"Test has been opened, at least once: {EVALUATION} cannot be read."
        times = "once" if self.times == 1 else f"{self.times} times"
        return f"Test opened {times}, last {self.last}."


def test_access_log(sweep_folder: Path) -> TestAccessLog:
    """Read how often `evaluate` has opened the sweep's test set."""
    file = sweep_folder / EVALUATION
    if not file.exists():
        return TestAccessLog(0, "")
    try:
        with naming_damage(file):
            found = read_json_object(file)
            return TestAccessLog(int(found["times_opened"]), str(found["opened"]))
    except DamagedFileError:
        return TestAccessLog(1, "")  # a file that is there is not taken for none
