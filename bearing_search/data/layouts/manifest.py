"""Samples from `manifest.csv`: one line per sample, paths relative to the manifest's folder."""

import codecs
import csv
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bearing_search.data.layouts.folders import check_part_name
from bearing_search.data.remarks import Remark
from bearing_search.data.samples import GOOD, Sample
from bearing_search.errors import DataError

MANIFEST = "manifest.csv"
_REQUIRED = ("part", "split", "label", "sample", "b0")
_OPTIONAL = ("defect", "group", "mask")
_LEVEL = re.compile(r"b\d+")
_LABELS = {
    **dict.fromkeys(("normal", "good", "ok", "0"), False),
    **dict.fromkeys(("anomalous", "defective", "ng", "1"), True),
}
_SAVE = 'In Excel, save it as "CSV UTF-8".'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A manifest as text, and how it was read."""

    file: Path
    text: str
    encoding: str
    delimiter: str
    columns: Mapping[int, str]
    """Position -> name, for the columns that are known."""

    @property
    def aside(self) -> str:
        """Possible reason for a missing file: its name was read in a guessed encoding."""
        return f" (the manifest was read as {self.encoding}. {_SAVE})" if self._is_guess else ""

    @property
    def _is_guess(self) -> bool:
        return self.encoding == "cp949"

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Line number, and column -> value, without the first line and empty ones."""
        lines = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.delimiter)
        next(lines)
        for row in lines:
            if any(cell.strip() for cell in row):
                known = {
                    name: row[at].strip() for at, name in self.columns.items() if at < len(row)
                }
                yield lines.line_num, known


class _Files:
    """Which files exist; each folder is read from disk once."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self._names: dict[str, frozenset[str]] = {}

    def find(self, relative: str) -> Path | None:
        """The file with that path, if any; a backslash counts as a slash unless part of a name."""
        for text in dict.fromkeys((relative, relative.replace("\\", "/"))):
            path = os.path.join(self.root, text)  # noqa: PTH118 (100,000 of them)
            folder, name = os.path.split(path)
            if folder not in self._names:
                self._names[folder] = _file_names(folder)
            if name in self._names[folder]:
                return Path(path)
        return None


def has_manifest(root: Path) -> bool:
    """Whether the folder holds a manifest."""
    return (root / MANIFEST).is_file()


def samples_of_manifest(root: Path) -> list[Sample]:
    """Every line of the manifest below `root` as a sample.

    Columns part, split (train or test), label (normal or anomalous, good or defective, OK or NG, 0
    or 1), defect, sample, group (default: the sample itself), b0, b1, ..., mask; further columns
    are ignored. They are separated by commas, semicolons or tabs.

    Raises:
        DataError: a column or file is missing, or a value is unknown; it names file and line.
    """
    table, files, parts = _table(root / MANIFEST), _Files(root), set[str]()
    samples = []
    try:
        for line, row in table.rows():
            where = f"{table.file}, line {line}"
            if row.get("part") not in parts:
                check_part_name(row.get("part", ""), where)
                parts.add(row["part"])
            samples.append(_sample(row, where, files, table.aside))
    except csv.Error as error:
        raise DataError(f"{table.file}: not a CSV file ({error}).") from None
    if not samples:
        raise DataError(f"{table.file}: lists no samples.")
    return samples


def remarks_on_manifest(root: Path, samples: Sequence[Sample]) -> Iterator[Remark]:
    """Remarks on how the manifest was read, unless it is UTF-8 with commas."""
    table = _table(root / MANIFEST)
    if table.encoding not in ("utf-8", "utf-8-sig"):
        yield Remark(
            severity="warning" if table.aside else "note",
            kind="encoding",
            text=f"{MANIFEST} is read as {table.encoding}",
            advice=_SAVE.rstrip("."),
        )
    if table.delimiter != ",":
        name = {";": "semicolons", "\t": "tabs"}[table.delimiter]
        yield Remark(
            severity="note",
            kind="manifest",
            text=f"the columns of {MANIFEST} are separated by {name}",
        )


def _table(file: Path) -> _Table:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}).") from None
    text, encoding = _decoded(content, file)
    text = text.lstrip("\ufeff")
    first = text.partition("\n")[0].strip("\r")
    delimiter = max(",;\t", key=lambda sign: len(_known(first.split(sign))))
    header = next(csv.reader([first], delimiter=delimiter), [])
    names = _known(header)
    missing = [name for name in _REQUIRED if name not in names.values()]
    if missing:
        raise DataError(
            f"{file}: lacks the column {', '.join(missing)}; its first line holds "
            f"{first[:120].strip() or 'nothing'!r}. The first line names the columns, at least "
            f"{','.join(_REQUIRED)}."
        )
    twins = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
    if twins:
        raise DataError(f"{file}: has two columns {twins[0]}. Keep one.")
    return _Table(file=file, text=text, encoding=encoding, delimiter=delimiter, columns=names)


def _known(header: Sequence[str]) -> dict[int, str]:
    names = {at: cell.strip().strip('"').strip().lower() for at, cell in enumerate(header)}
    return {
        at: name
        for at, name in names.items()
        if name in (*_REQUIRED, *_OPTIONAL) or _LEVEL.fullmatch(name)
    }


def _decoded(content: bytes, file: Path) -> tuple[str, str]:
    """The text of a manifest, and its encoding."""
    guesses = ["utf-8", "cp949"]
    if content.startswith(codecs.BOM_UTF8):
        guesses = ["utf-8-sig"]
    elif content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        guesses = ["utf-16"]
    elif b"\0" in content[:200]:
        guesses = ["utf-16-be" if content[:1] == b"\0" else "utf-16-le"]
    for encoding in guesses:
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise DataError(f"{file}: not text in {' or '.join(guesses)}. {_SAVE}")


def _file_names(folder: str) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except OSError:  # reported for the line that names a file in it
        return frozenset()


def _sample(row: Mapping[str, str], where: str, files: _Files, aside: str) -> Sample:
    split, label = row.get("split", "").lower(), row.get("label", "").lower()
    if split not in ("train", "test"):
        raise DataError(f"{where}: split is {row.get('split', '')!r}; wanted train or test.")
    if label not in _LABELS:
        raise DataError(
            f"{where}: label is {row.get('label', '')!r}; wanted normal or anomalous (or good, "
            "defective; OK, NG; 0, 1)."
        )
    is_anomalous, part, name = _LABELS[label], row["part"], row.get("sample", "")
    if not name:
        raise DataError(f"{where}: has no sample; name it.")
    defect = row.get("defect") or ("defect" if is_anomalous else GOOD)
    levels = _levels(row, where)
    return Sample(
        part=part,
        split="train" if split == "train" else "test",
        defect=defect,
        name=name,
        group=row.get("group") or f"{part}/{split}/{defect}/{name}",
        is_anomalous=is_anomalous,
        level_files=tuple(_existing(files, level, where, aside) for level in levels),
        mask_file=_existing(files, row["mask"], where, aside) if row.get("mask") else None,
    )


def _levels(row: Mapping[str, str], where: str) -> list[str]:
    """The files of a line, brightness 0 first."""
    given = {int(name[1:]): text for name, text in row.items() if text and _LEVEL.fullmatch(name)}
    if given and max(given) + 1 == len(given):
        return [given[level] for level in sorted(given)]
    lacking = next(level for level in range(len(given) + 1) if level not in given)
    raise DataError(f"{where}: sample {row['sample']} has no b{lacking}; levels start at b0.")


def _existing(files: _Files, relative: str, where: str, aside: str) -> Path:
    path = files.find(relative)
    if path is None:
        slashes = ' Write / instead of "\\".' if "\\" in relative else ""
        raise DataError(f"{where}: {relative} does not exist below {files.root}.{slashes}{aside}")
    return path
