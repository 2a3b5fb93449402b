"""Reads and appends the measurements of one trial, a JSON Lines file in its folder."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from bearing_search.errors import DamagedFileError
from bearing_search.filesystem.stored_file import naming_damage
from bearing_search.measurement import Measurement

_LOG = logging.getLogger(__name__)

MEASUREMENTS_FILE = "measurements.jsonl"
"""Name of the file in a trial's folder."""


def to_json(measurement: Measurement) -> str:
    """The measurement as one JSON line without newline; NaN and infinity as Python writes them."""
    return json.dumps(asdict(measurement))


def from_json(line: str) -> Measurement:
    """The measurement that a JSON line holds.

    Raises:
        TypeError, ValueError: it holds something else.
    """
    return Measurement(**json.loads(line))


class NewSteps:
    """Filter that admits each step of a stream once, even if the stream repeats itself.

    Args:
        last: the last step already admitted; None: none.
    """

    def __init__(self, last: int | None = None) -> None:
        self._last = last

    def admit(self, measurement: Measurement) -> bool:
        """Return whether the measurement's step is new, and mark it as seen."""
        if self._last is not None and measurement.step <= self._last:
            return False
        self._last = measurement.step
        return True


class MeasurementLog:
    """Appends measurements to a file, each step once; repairs a line torn by a killed writer.

    A file that is damaged otherwise is put aside: a resumed trial repeats its measurements.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            _drop_torn_line(file)
            last = last_measurement(file)
        except DamagedFileError as error:
            aside = file.with_name(f"{file.name}.damaged")
            _LOG.warning("%s; moved to %s", error, aside)
            file.replace(aside)
            last = None
        self._new = NewSteps(last.step if last else None)

    def append(self, measurement: Measurement) -> None:
        """Write a measurement unless its step is already in the file."""
        if not self._new.admit(measurement):
            return
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(to_json(measurement) + "\n")


def read_measurements(file: Path, *, after: int | None = None) -> Iterator[Measurement]:
    """Iterate over measurements with a step above `after`, in order; skips a torn last line.

    Raises:
        DamagedFileError: the file holds something else.
    """
    if not file.exists():
        return
    with naming_damage(file):
        stream = file.open(encoding="utf-8")
    with stream:
        for line in stream:
            if line.endswith("\n"):
                with naming_damage(file):
                    measurement = from_json(line)
                if after is None or measurement.step > after:
                    yield measurement


def last_measurement(file: Path) -> Measurement | None:
    """The last measurement of a file, read from its end; None if there is none.

    Raises:
        DamagedFileError: the file holds something else.
    """
    if not file.exists():
        return None
    span = 4096
    with naming_damage(file), file.open("rb") as stream:
        size = stream.seek(0, 2)
        while True:
            stream.seek(max(0, size - span))
            lines = stream.read().splitlines(keepends=True)
            whole = [line for line in lines if line.endswith(b"\n")]
            # the first line read may be cut off, unless the span covers the whole file
            if len(lines) > 2 or span >= size:
                return from_json(whole[-1].decode()) if whole else None
            span *= 4


def last_values(file: Path) -> Mapping[str, float]:
    """Values of the last measurement of a file; empty if there is none."""
    last = last_measurement(file)
    return last.values if last is not None else {}


def _drop_torn_line(file: Path) -> None:
    if not file.exists():
        return
    with naming_damage(file):
        content = file.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            file.write_bytes(whole)
