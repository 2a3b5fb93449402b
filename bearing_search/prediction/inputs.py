"""What a user names -> samples to be judged: folders, globs, manifests, data sets, single files.

Levels of a sample are paired by name as in training. What is wrong with one sample becomes its
verdict, so that the others are judged all the same.
"""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bearing_search.data.files.listing import Folder, is_picture, is_read, read_suffixes
from bearing_search.data.files.manifest_table import FilesBelow, level_files, read_table
from bearing_search.data.files.mask_files import is_mask_folder, masks_beside
from bearing_search.data.layouts.manifest import MANIFEST
from bearing_search.data.readers import DATA_READERS, reader_of
from bearing_search.errors import DataError
from bearing_search.prediction.pairing import InputSample, PartRule, flawed, paired
from bearing_search.runtime.verdict import SampleLevels

_GLOB = re.compile(r"[*?\[]")
_OWN_READERS = ("manifest", "folders")
"""Readers of data sets that refuse a set for one flaw; here the other samples are judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Samples to be judged, in order, and what is wrong with the rest."""

    samples: tuple[InputSample, ...]
    problems: tuple[str, ...]
    """Names that stand for nothing, one line each; not everything that was asked can be judged."""

    remarks: tuple[str, ...]
    """What is left out on purpose, one line each."""


@dataclass(slots=True)
class _Found:
    samples: list[InputSample] = field(default_factory=list)
    loose: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    num_masks: int = 0
    unread: list[str] = field(default_factory=list)
    num_of_other_parts: int = 0

    def remarks(self) -> Iterator[str]:
        if self.num_masks:
            yield f"{self.num_masks} files in folders of masks are left out"
        if self.unread:
            count = len(self.unread)
            yield f"{self.unread[0]}{f' and {count - 1} more' if count > 1 else ''}: left out; "
            yield f"images end in {read_suffixes()}"
        if self.num_of_other_parts:
            yield f"{self.num_of_other_parts} samples of other parts are left out"


def find_inputs(images: Sequence[str | Path], parts: Sequence[str], part: str = "") -> Inputs:
    """The samples that names stand for.

    Args:
        images: folders, patterns such as `line/*.png`, manifests (.csv), image files.
        parts: that the detector knows.
        part: of pictures whose folder or manifest names none; samples that it names another of
            `parts` for are left out. Empty: the detector's only part.

    Raises:
        ConfigError: a sample's part is not known.
        DataError: there is no sample at all.
    """
    rule, found = PartRule(tuple(parts), part), _Found()
    for name in images:
        _add(str(name), rule, found)
    found.samples += _of_files(found.loose, rule, found)
    remarks = [" ".join(found.remarks())] if any(True for _ in found.remarks()) else []
    if not found.samples:
        why = found.problems or remarks or ["no image is named"]
        raise DataError("; ".join(why))
    return Inputs(
        samples=tuple(found.samples), problems=tuple(found.problems), remarks=tuple(remarks)
    )


def _add(name: str, rule: PartRule, found: _Found) -> None:
    if not name.strip():  # an unset variable of a script; as a path it is the current folder
        found.problems.append("an empty name: stands for no picture")
        return
    path = Path(name)
    before = len(found.samples) + len(found.loose) + found.num_of_other_parts
    try:
        if path.is_dir():
            _add_folder(path, rule, found)
        elif path.suffix.lower() == ".csv" and path.is_file():
            _add_manifest(path, rule, found)
        elif path.exists():
            found.loose.append(path)
        elif _GLOB.search(name):
            _add_matches(name, rule, found)
        else:
            found.problems.append(f"{name}: does not exist")
            return
    except DataError as error:
        found.problems.append(str(error))
        return
    if len(found.samples) + len(found.loose) + found.num_of_other_parts == before:
        found.problems.append(f"{name}: holds no image ({read_suffixes()})")


def _add_matches(name: str, rule: PartRule, found: _Found) -> None:
    matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 (patterns may be absolute)
    if not matches:
        raise DataError(f"{name}: no file matches this pattern")
    for match in map(Path, matches):
        if match.is_dir():
            continue  # its files match as well, or were not meant
        if is_read(match.name):
            found.loose.append(match)
        elif is_picture(match.name):
            found.unread.append(str(match))


def _add_folder(root: Path, rule: PartRule, found: _Found) -> None:
    if (root / MANIFEST).is_file():
        _add_manifest(root / MANIFEST, rule, found)
        return
    reader = reader_of(root)
    if reader is not None and reader not in _OWN_READERS:
        for one in DATA_READERS[reader].read(root):
            levels = SampleLevels(part=one.part, levels=one.level_files, name=one.name)
            _keep([InputSample(sample=levels)], one.part, rule, found)
        return
    for folder in Folder(root).walk():
        inside = folder.path.relative_to(root).parts
        if any(map(is_mask_folder, inside)):
            found.num_masks += len(folder.pictures)
            continue
        masks = {name for names in masks_beside(folder).values() for name in names}
        found.num_masks += len(masks)
        found.unread += [
            str(folder.path / name)
            for name in folder.files
            if is_picture(name) and not is_read(name)
        ]
        found.problems += [
            f"{folder.path / name}: is no file; a link to nothing?"
            for name in folder.others
            if is_read(name)
        ]
        files = [folder.path / name for name in folder.pictures if name not in masks]
        if files:
            stated = rule.of_path(folder.path)
            _keep(paired(files, rule.chosen(stated, files[0]), root), stated, rule, found)


def _add_manifest(file: Path, rule: PartRule, found: _Found) -> None:
    table = read_table(file, ("b0",))
    files = FilesBelow(file.parent)
    for line, row in table.rows():
        where = f"{file}, line {line}"
        stated = row.get("part", "")
        name = row.get("sample") or Path(row.get("b0", "")).stem or f"line {line}"
        part = rule.chosen(rule.of_manifest(stated, where), where)
        try:
            levels = [files.existing(one, where, table.aside) for one in level_files(row, where)]
        except DataError as error:
            _keep([flawed(part, name, "unreadable", str(error))], stated, rule, found)
            continue
        sample = SampleLevels(part=part, levels=tuple(levels), name=name)
        _keep([InputSample(sample=sample)], stated, rule, found)


def _of_files(files: Sequence[Path], rule: PartRule, found: _Found) -> list[InputSample]:
    by_folder: dict[Path, list[Path]] = {}
    for file in dict.fromkeys(map(Path.absolute, files)):
        if any(map(is_mask_folder, file.parts[-3:-1])):
            found.num_masks += 1
        else:
            by_folder.setdefault(file.parent, []).append(file)
    kept: list[InputSample] = []
    root = Path(os.path.commonpath(by_folder)) if by_folder else Path()
    for folder, own in by_folder.items():
        stated = rule.of_path(folder)
        if rule.leaves_out(stated):
            found.num_of_other_parts += len(own)
        else:
            kept += paired(own, rule.chosen(stated, own[0]), root)
    return kept


def _keep(samples: Iterable[InputSample], stated: str, rule: PartRule, found: _Found) -> None:
    kept = list(samples)
    if rule.leaves_out(stated):
        found.num_of_other_parts += len(kept)
    else:
        found.samples += kept
