"""Samples from the folder layout: MVTec AD's, with `_b<level>` for brightness and train defects.

``DATA/<part>/{train,test}/{good,<defect>}/<sample>[_b<level>].<ext>``
with masks ``DATA/<part>/ground_truth/<defect>/<sample>_mask.<ext>``.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from bearing_search.data.samples import GOOD, IMAGE_SUFFIXES, Sample, Split, name_and_level
from bearing_search.errors import DataError

LAYOUT = "<part>/train/good/<sample>_b0.png and so on"


def has_part_folders(root: Path) -> bool:
    """Whether the folder holds parts, or is one itself: then `samples_of_folders` says so."""
    return (root / "train").is_dir() or bool(_part_folders(root))


def samples_of_folders(root: Path) -> list[Sample]:
    """Every sample below `root`.

    Raises:
        DataError: the folders are not laid out as expected, or a level is missing.
    """
    if (root / "train").is_dir():
        raise DataError(
            f"{root}: holds train/ itself, so it is one part, not a data set. "
            f"Point to the folder above it, {root.absolute().parent}."
        )
    return [sample for part in _part_folders(root) for sample in _samples_of_part(part)]


def check_part_name(name: str, where: str) -> None:
    """Part names become folder names, so nothing that climbs or hides is one.

    Raises:
        DataError: the name is empty, starts with a dot, or holds a separator.
    """
    if not re.fullmatch(r"[^\W.][\w.+ -]*", name):
        raise DataError(
            f"{where}: {name!r} cannot name a part; letters, digits, and . + - _ inside."
        )


def _part_folders(root: Path) -> list[Path]:
    return sorted(folder for folder in root.iterdir() if (folder / "train").is_dir())


def _samples_of_part(folder: Path) -> Iterator[Sample]:
    check_part_name(folder.name, str(folder.parent))
    for split in get_args(Split):
        for defect in sorted(d for d in (folder / split).glob("*") if d.is_dir()):
            masks = _masks(folder / "ground_truth" / defect.name)
            for name, levels in _by_name(defect).items():
                yield Sample(
                    part=folder.name,
                    split=split,
                    defect=defect.name,
                    name=name,
                    group=f"{folder.name}/{split}/{defect.name}/{name}",
                    is_anomalous=defect.name != GOOD,
                    level_files=levels,
                    mask_file=masks.get(name) if defect.name != GOOD else None,
                )


def _by_name(folder: Path) -> dict[str, tuple[Path, ...]]:
    levels: dict[str, dict[int, Path]] = defaultdict(dict)
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() not in IMAGE_SUFFIXES or file.name.startswith("."):
            continue
        name, level = name_and_level(file)
        if level in levels[name]:
            raise DataError(
                f"{file}: a second file for brightness {level} of {name}, beside "
                f"{levels[name][level].name}. Keep one."
            )
        levels[name][level] = file
    for name, files in levels.items():
        missing = sorted(set(range(max(files) + 1)) - set(files))
        if missing:
            raise DataError(
                f"{folder / name}: brightness level {missing[0]} is missing "
                f"({name}_b{missing[0]} not found beside {next(iter(files.values())).name})."
            )
    return {name: tuple(files[i] for i in sorted(files)) for name, files in levels.items()}


def _masks(folder: Path) -> dict[str, Path]:
    return {
        file.stem.removesuffix("_mask"): file
        for file in sorted(folder.glob("*_mask.*"))
        if file.suffix.lower() in IMAGE_SUFFIXES
    }
