"""The measurements of one trial as lines of JSON: what is known of it when nothing else runs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from bearing_search.measurement import Measurement

MEASUREMENTS_FILE = "measurements.jsonl"
"""Name of the file in a trial's folder."""


def to_json(measurement: Measurement) -> str:
    """One line, without its end; NaN and infinities keep Python's spelling."""
    return json.dumps(asdict(measurement))


def from_json(line: str) -> Measurement:
    """A measurement from its line."""
    return Measurement(**json.loads(line))


class NewSteps:
    """Lets every step of a stream pass once, whoever repeats it.

    Args:
        last: the newest step that has passed already; None: none has.
    """

    def __init__(self, last: int | None = None) -> None:
        self._last = last

    def admit(self, measurement: Measurement) -> bool:
        """Whether its step is a new one; from now on it is not."""
        if self._last is not None and measurement.step <= self._last:
            return False
        self._last = measurement.step
        return True


class MeasurementLog:
    """Appends measurements to a file, each step once, whatever was killed while writing."""

    def __init__(self, file: Path) -> None:
        self._file = file
        _drop_torn_line(file)
        last = last_measurement(file)
        self._new = NewSteps(last.step if last else None)

    def append(self, measurement: Measurement) -> None:
        """Write a measurement, unless its step is already there."""
        if not self._new.admit(measurement):
            return
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(to_json(measurement) + "\n")


def read_measurements(file: Path, *, after: int | None = None) -> Iterator[Measurement]:
    """Measurements with a step above `after`, in order; a torn last line is left out."""
    if not file.exists():
        return
    with file.open(encoding="utf-8") as stream:
        for line in stream:
            if line.endswith("\n"):
                measurement = from_json(line)
                if after is None or measurement.step > after:
                    yield measurement


def last_measurement(file: Path) -> Measurement | None:
    """The newest measurement, read from the file's end."""
    if not file.exists():
        return None
    span = 4096
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        while True:
            stream.seek(max(0, size - span))
            lines = stream.read().splitlines(keepends=True)
            whole = [line for line in lines if line.endswith(b"\n")]
            # the first line read may begin in the middle, unless the span holds the whole file
            if len(lines) > 2 or span >= size:
                return from_json(whole[-1].decode()) if whole else None
            span *= 4


def last_values(file: Path) -> Mapping[str, float]:
    """What the newest measurement says; nothing where there is none."""
    last = last_measurement(file)
    return last.values if last is not None else {}


def _drop_torn_line(file: Path) -> None:
    if not file.exists():
        return
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        file.write_bytes(whole)
