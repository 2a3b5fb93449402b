"""Layouts with lists of their images: VisA's csv and Real-IAD's json.

Structures as in amazon-science/spot-diff (`split_csv/1cls.csv`) and Tencent's
`explicit_dataset.py`.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bearing_search.data.files.json_file import json_object
from bearing_search.data.files.listing import Folder, few, suffix_of
from bearing_search.data.files.picture_index import PictureIndex
from bearing_search.data.importing.raw_sample import RawSample, RawSet
from bearing_search.data.samples import Split
from bearing_search.errors import DataError

_VISA = ["object", "split", "label", "image", "mask"]
_VISA_FIRST = "1cls"
_VIEW = re.compile(r"(?P<thing>.+)_C\d+_.*")
_RESOLUTIONS = ("realiad_1024", "realiad_raw", "realiad_512", "realiad_256")


# ---- VisA


def is_visa(root: Folder) -> bool:
    """Whether a csv below lists object, split, label, image and mask."""
    return bool(_visa_lists(root))


def read_visa(root: Folder) -> RawSet:
    """Read VisA by its list; of several, the one-class split.

    Raises:
        DataError: a line names an unknown split or a missing image.
    """
    lists = _visa_lists(root)
    chosen = next((file for file in lists if file.stem == _VISA_FIRST), lists[0])
    index, samples = PictureIndex(root), []
    with chosen.open(newline="", encoding="utf-8-sig") as stream:
        for line, row in enumerate(csv.DictReader(stream), start=2):
            where = f"{chosen}, line {line}"
            if row["split"] not in ("train", "test") or None in row.values():
                raise DataError(f"{where}: wanted {','.join(_VISA)}, with split train or test.")
            split: Split = "train" if row["split"] == "train" else "test"
            picture = index.find(row["image"], near=root.path)
            is_normal = row["label"] == "normal"
            masks = [] if is_normal or not row["mask"] else [row["mask"]]
            samples.append(
                RawSample(
                    part=row["object"],
                    name=picture.stem,
                    level_files=(picture,),
                    split=split,
                    defect="" if is_normal else row["label"] or "anomaly",
                    mask_files=tuple(_file(root, mask, where) for mask in masks),
                )
            )
    others = [file.relative_to(root.path).as_posix() for file in lists if file != chosen]
    said = [f"train and test are taken from {chosen.relative_to(root.path).as_posix()}"]
    said += [f"not used: {few(others)}"] if others else []
    return RawSet(samples=tuple(samples), said=tuple(said))


def _visa_lists(root: Folder) -> list[Path]:
    found = []
    for folder in root.walk(2):
        files = [folder.path / name for name in folder.files if suffix_of(name) == ".csv"]
        found += [file for file in files if _first_line(file) == ",".join(_VISA)]
    return found


def _first_line(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            line = stream.readline(200)
    except OSError:
        return ""
    return line.decode("utf-8-sig", "replace").strip().lower()


def _file(root: Folder, relative: str, where: str) -> Path:
    file = root.path / relative.replace("\\", "/")
    if not file.is_file():
        raise DataError(f"{where}: {relative} does not exist below {root.path}.")
    return file


# ---- Real-IAD


def is_real_iad(root: Folder) -> bool:
    """Whether a json below has `meta` with `prefix` and `normal_class`, and lists of samples."""
    return bool(_real_iad_lists(root))


def read_real_iad(root: Folder) -> RawSet:
    """Read Real-IAD: the views of one object are one group; a view without a mask is normal.

    Raises:
        DataError: a list lacks an entry, or names a missing image.
    """
    lists = _real_iad_lists(root)
    folder, files = next(iter(lists.items()))
    bases, samples = _bases(root), []
    for file in files:
        content = json_object(file)
        where = next((base for base in bases if _fits(base, content)), None)
        if where is None:
            raise DataError(
                f"{file}: its images are in none of {few([base.name for base in bases])} below "
                f"{root.path}. Put them into {_RESOLUTIONS[0]}/<part>/."
            )
        for split in ("train", "test"):
            samples += list(_real_iad_samples(content, file, where, split))
    others = [path.name for path in lists if path != folder]
    said = [f"train and test are taken from {folder.name}"]
    said += [f"not used: {few(others)}"] if others else []
    said.append("views of one object are one group; a view without a mask counts as normal")
    return RawSet(samples=tuple(samples), said=tuple(said))


def _real_iad_lists(root: Folder) -> dict[Path, list[Path]]:
    """Folder -> its lists; the shortest name first, which holds the base split."""
    found = {}
    for folder in root.walk(3):
        files = [folder.path / name for name in folder.files if suffix_of(name) == ".json"]
        if files and _is_real_iad(files[0]):
            found[folder.path] = files
    return dict(sorted(found.items(), key=lambda item: (len(item[0].name), item[0])))


def _is_real_iad(file: Path) -> bool:
    meta = json_object(file).get("meta")
    return isinstance(meta, dict) and {"prefix", "normal_class"} <= meta.keys()


def _bases(root: Folder) -> list[Path]:
    named = [root.path / name for name in _RESOLUTIONS if name in root.folders]
    others = [one.path for one in root.folders.values() if one.path not in named]
    return [*named, root.path, *others]


def _fits(base: Path, content: Mapping[str, Any]) -> bool:
    """Whether the first image of a list is there."""
    first = next((one for split in ("train", "test") for one in content.get(split, ())), None)
    return first is not None and _picture(base, content, first, "image_path").is_file()


def _picture(base: Path, content: Mapping[str, Any], entry: Mapping[str, Any], key: str) -> Path:
    """The file of an entry: below the prefix, or below the folder of its category."""
    try:
        file = base / str(content["meta"]["prefix"]) / str(entry[key])
        return file if file.is_file() else base / str(entry["category"]) / str(entry[key])
    except (KeyError, TypeError) as error:
        raise DataError(f"an entry of Real-IAD's list lacks {error}: {entry!r}.") from None


def _real_iad_samples(
    content: Mapping[str, Any], file: Path, base: Path, split: Split
) -> Iterator[RawSample]:
    entries: Sequence[Mapping[str, Any]] = content.get(split, ())
    for entry in entries:
        picture = _picture(base, content, entry, "image_path")
        if not picture.is_file():
            raise DataError(f"{file}: {entry['image_path']} does not exist below {base}.")
        match = _VIEW.fullmatch(picture.stem)
        is_normal = entry.get("anomaly_class") == content["meta"]["normal_class"]
        mask = entry.get("mask_path")
        shows_defect = not is_normal and bool(mask)
        yield RawSample(
            part=str(entry["category"]),
            name=picture.stem,
            level_files=(picture,),
            split=split,
            defect=str(entry["anomaly_class"]) if shows_defect else "",
            group=match["thing"] if match else "",
            mask_files=(_picture(base, content, entry, "mask_path"),) if shows_defect else (),
        )
