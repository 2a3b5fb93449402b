"""A table of samples as CSV: one line per sample, paths relative to the table's folder."""

import codecs
import csv
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bearing_search.errors import DataError

COLUMNS = ("part", "split", "label", "sample", "b0", "defect", "group", "mask")
"""Columns that are read, besides b1, b2 and so on."""

_LEVEL = re.compile(r"b\d+")
SAVE_AS = 'In Excel, save it as "CSV UTF-8".'


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestTable:
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
        return f" (the manifest was read as {self.encoding}. {SAVE_AS})" if self.is_guess else ""

    @property
    def is_guess(self) -> bool:
        """Whether the encoding was guessed."""
        return self.encoding == "cp949"

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Line number, and column -> value, without the first line and empty ones.

        Raises:
            DataError: it is not a CSV file.
        """
        lines = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.delimiter)
        try:
            next(lines)
            for row in lines:
                if any(cell.strip() for cell in row):
                    known = {
                        name: row[at].strip() for at, name in self.columns.items() if at < len(row)
                    }
                    yield lines.line_num, known
        except csv.Error as error:
            raise DataError(f"{self.file}: not a CSV file ({error}).") from None


class FilesBelow:
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

    def existing(self, relative: str, where: str, aside: str = "") -> Path:
        """The file with that path.

        Args:
            relative: as the table has it.
            where: file and line, for the message.
            aside: end of the message.

        Raises:
            DataError: there is none.
        """
        path = self.find(relative)
        if path is None:
            slashes = ' Write / instead of "\\".' if "\\" in relative else ""
            raise DataError(
                f"{where}: {relative} does not exist below {self.root}.{slashes}{aside}"
            )
        return path


def read_table(file: Path, required: Sequence[str]) -> ManifestTable:
    """Read a table's text and the names of its columns.

    Args:
        file: the table; its columns are separated by commas, semicolons or tabs.
        required: columns that it must have.

    Raises:
        DataError: it cannot be read, lacks a column, or has one twice.
    """
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
    missing = [name for name in required if name not in names.values()]
    if missing:
        raise DataError(
            f"{file}: lacks the column {', '.join(missing)}; its first line holds "
            f"{first[:120].strip() or 'nothing'!r}. The first line names the columns, at least "
            f"{','.join(required)}."
        )
    twins = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
    if twins:
        raise DataError(f"{file}: has two columns {twins[0]}. Keep one.")
    return ManifestTable(
        file=file, text=text, encoding=encoding, delimiter=delimiter, columns=names
    )


def level_files(row: Mapping[str, str], where: str) -> list[str]:
    """The files of a line, brightness 0 first.

    Raises:
        DataError: a level is missing.
    """
    given = {int(name[1:]): text for name, text in row.items() if text and _LEVEL.fullmatch(name)}
    if given and max(given) + 1 == len(given):
        return [given[level] for level in sorted(given)]
    lacking = next(level for level in range(len(given) + 1) if level not in given)
    raise DataError(
        f"{where}: sample {row.get('sample', '')} has no b{lacking}; levels start at b0."
    )


def _known(header: Sequence[str]) -> dict[int, str]:
    names = {at: cell.strip().strip('"').strip().lower() for at, cell in enumerate(header)}
    return {at: name for at, name in names.items() if name in COLUMNS or _LEVEL.fullmatch(name)}


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
    raise DataError(f"{file}: not text in {' or '.join(guesses)}. {SAVE_AS}")


def _file_names(folder: str) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except OSError:  # reported for the line that names a file in it
        return frozenset()
