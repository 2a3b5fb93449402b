"""SageMaker Ground Truth's and Lookout for Vision's `.manifest`: a JSON object on each line.

`source-ref` names the image, `<job>` and `<job>-metadata` its class, `<job>-ref` a mask with the
colours of `internal-color-map`. Buckets are not opened: images must be below the folder.
"""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bearing_search.data.files.listing import Folder, stem_of, suffix_of
from bearing_search.data.files.picture_index import PictureIndex
from bearing_search.data.importing.raw_sample import Draw, RawSample, RawSet
from bearing_search.data.importing.shapes import mask_of_colours
from bearing_search.data.importing.test_share import open_without_test
from bearing_search.data.layouts.folders import NORMAL_NAMES
from bearing_search.data.samples import Split
from bearing_search.errors import DataError

_SOURCE = "source-ref"
_BACKGROUND = "background"

Line = Mapping[str, Any]


def is_sagemaker(root: Folder) -> bool:
    """Whether there is a `.manifest` that begins with a `source-ref`."""
    return bool(_manifests(root))


def read_sagemaker(root: Folder) -> RawSet:
    """Read the lines of all manifests; a manifest named after train or test sets the split.

    Raises:
        DataError: a line is not a JSON object or lacks a class, or an image is missing.
    """
    index, samples = PictureIndex(root), []
    for file in _manifests(root):
        name = stem_of(file.name).lower()
        split: Split | None = "test" if "test" in name else "train" if "train" in name else None
        for number, line in _lines(file):
            where = f"{file}, line {number}"
            picture = index.find(_key(line[_SOURCE]), near=file.parent)
            defect = _defect(line, where)
            samples.append(
                RawSample(
                    part=root.path.name,
                    name=picture.stem,
                    level_files=(picture,),
                    split=split,
                    defect=defect,
                    draw=_draw(line, index, file) if defect else None,
                )
            )
    return RawSet(
        samples=open_without_test(samples), said=("buckets are not opened: images are local",)
    )


def _manifests(root: Folder) -> list[Path]:
    files = [
        folder.path / name
        for folder in root.walk(3)
        for name in folder.files
        if suffix_of(name) == ".manifest"
    ]
    return [file for file in files if _has_source(file)]


def _has_source(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return f'"{_SOURCE}"'.encode() in stream.read(65536)
    except OSError:
        return False


def _lines(file: Path) -> Iterator[tuple[int, Line]]:
    for number, text in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict) or not isinstance(line.get(_SOURCE), str):
            raise DataError(f"{file}, line {number}: not a JSON object with a {_SOURCE}.")
        yield number, line


def _key(address: str) -> str:
    """The path in a URL, without the bucket: `s3://bucket/a/b.png` is a/b.png."""
    return address.split("://", 1)[1].partition("/")[2] if "://" in address else address


def _mask_job(line: Line) -> str:
    """The attribute that names a mask; empty if there is none."""
    jobs = [name for name in line if name.endswith("-ref") and name != _SOURCE]
    return jobs[0] if jobs else ""


def _colours(line: Line) -> dict[str, str]:
    """Name of a class -> its colour, such as `#2ca02c`."""
    meta = line.get(f"{_mask_job(line)}-metadata")
    entries = meta.get("internal-color-map", {}) if isinstance(meta, dict) else {}
    return {
        str(one.get("class-name", "")): str(one.get("hex-color", "")) for one in entries.values()
    }


def _defect(line: Line, where: str) -> str:
    """The kind of defect, preferably by class name; empty: the image is normal."""
    kinds = [name for name in _colours(line) if name.lower() != _BACKGROUND]
    for name in line:
        meta = line.get(f"{name}-metadata")
        said = meta.get("class-name") if isinstance(meta, dict) else None
        if name == _SOURCE or name == _mask_job(line) or not isinstance(said, str):
            continue
        if said.lower() in NORMAL_NAMES:
            return ""
        return kinds[0] if len(kinds) == 1 else said
    if _mask_job(line):
        return "+".join(kinds) or "anomaly"
    raise DataError(f"{where}: has no class; wanted a class-name in its metadata.")


def _draw(line: Line, index: PictureIndex, file: Path) -> Draw | None:
    job = _mask_job(line)
    if not job:
        return None
    mask = index.find(_key(str(line[job])), near=file.parent)
    colours = {name: _rgb(code) for name, code in _colours(line).items() if code.startswith("#")}
    background = [rgb for name, rgb in colours.items() if name.lower() == _BACKGROUND]
    if background or not colours:
        return partial(mask_of_colours, mask, background or [(0, 0, 0)], are_background=True)
    return partial(mask_of_colours, mask, list(colours.values()), are_background=False)


def _rgb(code: str) -> tuple[int, int, int]:
    try:
        value = int(code[1:7], 16)
    except ValueError:
        raise DataError(f"{code}: not a colour; wanted #rrggbb.") from None
    return value >> 16, value >> 8 & 255, value & 255
