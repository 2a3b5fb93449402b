"""The native layout: MVTec AD's, with `_b<level>` for brightness, and defects allowed in train.

``DATA/<part>/{train,test}/{good,<defect>}/<sample>[_b<level>].<ext>``
with masks ``DATA/<part>/ground_truth/<defect>/<sample>_mask.<ext>``; see `mask_files` for others.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

from bearing_search.data.files.listing import Folder, few, stem_of
from bearing_search.data.files.mask_files import (
    holds_masks,
    mask_places,
    masks_beside,
    masks_in,
    one_mask,
)
from bearing_search.data.samples import GOOD, Sample, Split, name_and_level
from bearing_search.errors import DataError

LAYOUT = "<part>/train/good/<sample>_b0.png and so on"

NORMAL_NAMES = frozenset(
    {"good", "ok", "normal", "normals", "pass", "passed", "nominal", "non_defective", "no_defect"}
)
"""Names of folders of normal samples, in lower case."""

_LEVEL_LIKE = re.compile(
    r"(?P<name>.+)_(?P<tag>B|bright(?:ness)?|exp(?:o|osure)?|ev|level|light|lit)_?(?P<number>\d+)",
    re.IGNORECASE,
)


def has_part_folders(root: Path) -> bool:
    """Whether the folder holds parts, or is one itself, which `samples_of_folders` reports."""
    folder = Folder(root)
    return "train" in folder.folders or bool(part_folders(folder))


def samples_of_folders(root: Path) -> list[Sample]:
    """Every sample below `root`.

    Raises:
        DataError: the folders are not laid out as expected, a level is missing, or a sample has two
            masks.
    """
    folder = Folder(root)
    if "train" in folder.folders:
        _require_good(folder)
        raise DataError(
            f"{root}: holds train/ itself, so it is one part, not a data set. "
            f"Give the folder above it, {root.absolute().parent}."
        )
    return [sample for part in part_folders(folder) for sample in _samples_of_part(part)]


def part_folders(root: Folder) -> list[Folder]:
    """The folders below that hold train/, sorted by name."""
    return [folder for folder in root.folders.values() if "train" in folder.folders]


def check_part_name(name: str, where: str) -> None:
    """Check that a part's name is safe as a folder name: neither hidden nor a path.

    Raises:
        DataError: the name is empty, starts with a dot, or holds a separator.
    """
    if not re.fullmatch(r"[^\W.][\w.+ -]*", name):
        raise DataError(
            f"{where}: {name!r} is not a valid part name; use letters, digits, and . + - _ inside."
        )


def files_by_level(folder: Folder) -> dict[str, tuple[Path, ...]]:
    """Sample -> its files, brightness 0 first, of the images in a folder that are not masks.

    Raises:
        DataError: two files for one level, or a level is missing.
    """
    masks = {name for names in masks_beside(folder).values() for name in names}
    levels: dict[str, dict[int, Path]] = defaultdict(dict)
    for picture in folder.pictures:
        if picture in masks:
            continue
        file = folder.path / picture
        name, level = name_and_level(file)
        if level in levels[name]:
            raise DataError(
                f"{file}: a second file for brightness {level} of {name}, besides "
                f"{levels[name][level].name}. Keep one."
            )
        levels[name][level] = file
    for name, files in levels.items():
        missing = sorted(set(range(max(files) + 1)) - set(files))
        if missing:
            raise DataError(
                f"{folder.path / name}: brightness level {missing[0]} is missing "
                f"({name}_b{missing[0]} not found next to {next(iter(files.values())).name})."
            )
    return {name: tuple(files[i] for i in sorted(files)) for name, files in levels.items()}


def _samples_of_part(part: Folder) -> Iterator[Sample]:
    check_part_name(part.path.name, str(part.path.parent))
    _require_good(part)
    for split in get_args(Split):
        for folder in _kinds(part.below(split)):
            yield from _samples_of_kind(part, split, folder)


def _kinds(split: Folder | None) -> Iterator[Folder]:
    """The folders of good samples and of kinds of defects, without folders of masks."""
    for folder in split.folders.values() if split else ():
        if not holds_masks(folder):
            yield folder


def _samples_of_kind(part: Folder, split: Split, folder: Folder) -> Iterator[Sample]:
    defect = folder.path.name
    files = files_by_level(folder)
    _require_level_names(folder, files)
    masks = masks_in(mask_places(part, split, defect)) if defect != GOOD else {}
    beside = masks_beside(folder)
    for name, levels in files.items():
        stems = {name, *(stem_of(file.name) for file in levels)}
        found = [(folder.path / mask,) for stem in sorted(stems) for mask in beside.get(stem, ())]
        title = f"{part.path.name}/{split}/{defect}/{name}"
        first, *more = one_mask(title, [*masks.get(name, ()), *found]) or (None,)
        yield Sample(
            part=part.path.name,
            split=split,
            defect=defect,
            name=name,
            group=title,
            is_anomalous=defect != GOOD,
            level_files=levels,
            mask_file=first,
            more_mask_files=tuple(file for file in more if file is not None),
        )


def _require_good(part: Folder) -> None:
    """Raise if a split has its normal samples in a folder with another name, or in none."""
    for split in get_args(Split):
        folder = part.below(split)
        if folder is None or GOOD in folder.folders:
            continue
        where = f"{part.path.name}/{split}"
        alike = [name for name in folder.folders if name.lower() in NORMAL_NAMES]
        if alike:
            raise DataError(
                f"{part.path}: no folder good in {split}/; normal samples belong in {where}/good. "
                f"Rename {where}/{alike[0]} if it holds them."
            )
        if folder.pictures and not any(below.pictures for below in folder.folders.values()):
            raise DataError(
                f"{part.path}: {len(folder.pictures)} images are in {split}/ itself "
                f"({few(folder.pictures)}); put the normal ones into {where}/good, the others into "
                f"{where}/<defect>, or list all in a manifest."
            )


def _require_level_names(folder: Folder, files: Mapping[str, tuple[Path, ...]]) -> None:
    """Raise if most names number brightness levels, but not as `_b0`."""
    matches = [match for name in files if (match := _LEVEL_LIKE.fullmatch(name))]
    counts = Counter((match["name"], match["tag"]) for match in matches)
    several = [(key, count) for key, count in counts.items() if count > 1]
    if not several or 2 * sum(count for _, count in several) <= len(files):
        return
    tag = several[0][0][1]
    numbers = sorted(int(match["number"]) for match in matches if match["tag"] == tag)
    raise DataError(
        f"{folder.path}: names end in _{tag}{numbers[0]}.._{tag}{numbers[-1]} "
        f"({few(sorted(files))}); brightness levels of one sample must be named _b0, _b1, _b2, "
        "brightest first. Rename the files, or list them in a manifest."
    )
