"""What drift is judged by: one line for each picture, from `predict` or from its JSON."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bearing_search.errors import ConfigError, DataError
from bearing_search.prediction.judging import predict
from bearing_search.prediction.results import SampleResult
from bearing_search.preprocess.shapes import Circle
from bearing_search.runtime.detector import Detector
from bearing_search.runtime.verdict import Thresholds

LINES = (".json", ".jsonl", ".ndjson")
"""Endings of files that hold what `predict --json` printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Is told how judging goes on."""

    tell: Callable[[str], None] = lambda _: None
    """Gets a line on each thing that is left out."""

    advance: Callable[[int], None] = lambda _: None
    """Is called after each picture, with the number of all."""


_LARGEST = 1e30
_RANGES = {"brightness": (0.0, 255.0), "semi_major": (0.001, 1e9)}
"""Lowest and highest value that `predict` prints."""

SILENT = Listener()


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPicture:
    """A sample that the detector was asked about. Lengths are in pixels of the original."""

    part: str
    word: str
    """Its verdict."""

    score: float | None = None
    brightness: float | None = None
    size_px: float | None = None
    """Radius or half major axis; None: the part is used whole, or nothing was found."""

    centre: tuple[float, float] | None = None


def judged_pictures(
    detector: Detector,
    pictures: str | Path,
    *,
    part: str = "",
    listener: Listener = SILENT,
) -> list[JudgedPicture]:
    """Judge pictures, or read what `predict --json` said about them.

    Args:
        detector: to judge with.
        pictures: as `predict` takes them, or a file with its lines of JSON (`LINES`).
        part: as `predict` takes it; of a file, the only part that is read.
        listener: is told how it goes on.

    Raises:
        DataError: there is no picture, or the file is not what `predict --json` printed.
        ConfigError: a part is not known, or the file is of another detector.
    """
    path = Path(pictures)
    if path.suffix.lower() in LINES and path.is_file():
        if part:
            detector.part_facts(part)
        read = [one for one in _read(path, detector) if part in ("", one.part)]
        if not read:
            raise DataError(f"{path}: holds no sample{f' of part {part}' * bool(part)}")
        return read
    running = predict(detector, pictures, part=part)
    for line in (*running.inputs.remarks, *running.inputs.problems):
        listener.tell(line)
    found = []
    for result in running:
        found.append(_of_result(result))
        listener.advance(len(running))
    return found


def _of_result(result: SampleResult) -> JudgedPicture:
    shape = result.shape
    size = None
    if shape is not None:
        size = shape.radius if isinstance(shape, Circle) else shape.semi_major
    return JudgedPicture(
        part=result.part,
        word=result.word,
        score=result.score,
        brightness=result.brightness,
        size_px=size,
        centre=None if shape is None else (float(shape.x), float(shape.y)),
    )


def _read(file: Path, detector: Detector) -> Iterator[JudgedPicture]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{file}: is no text; wanted what `predict --json` printed") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("part"), str):
            raise DataError(f"{where}: is no line that `predict --json` printed")
        thresholds = detector.part_facts(row["part"]).thresholds
        yield _of_row(row, thresholds, where)


def _of_row(row: Mapping[str, Any], thresholds: Thresholds, where: str) -> JudgedPicture:
    score = _number(row, "score", where)
    limits = row.get("thresholds")
    if score is not None and limits != {"ok": thresholds.ok, "ng": thresholds.ng}:
        raise ConfigError(
            f"{where}: was judged with thresholds {limits}, this detector has ok "
            f"{thresholds.ok:g} and ng {thresholds.ng:g}; name the detector that judged them"
        )
    roi = row.get("roi")
    shape: Mapping[str, Any] = roi if isinstance(roi, dict) else {}
    x, y = _number(shape, "x", where), _number(shape, "y", where)
    return JudgedPicture(
        part=row["part"],
        word=str(row.get("verdict", "")),
        score=score,
        brightness=_number(row, "brightness", where),
        size_px=_number(shape, "semi_major", where),
        centre=None if x is None or y is None else (x, y),
    )


def _number(row: Mapping[str, Any], name: str, where: str) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    low, high = _RANGES.get(name, (-_LARGEST, _LARGEST))
    if not is_number or not low <= value <= high:
        shown = str(value)[:40] if isinstance(value, str | int | float) else type(value).__name__
        raise DataError(f"{where}: {name} is {shown!r}; wanted a number from {low:g} to {high:g}")
    return float(value)
