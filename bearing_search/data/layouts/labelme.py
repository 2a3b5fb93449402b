"""LabelMe: a JSON file next to each labelled image, with its outlines.

A file has `imagePath`, `imageHeight`, `imageWidth` and `shapes`, each with `label`, `points` and
`shape_type`: polygon, rectangle, circle (centre and a point on the rim) or mask (two corners, and
an image as base64). Lines and points have no area and are left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bearing_search.data.files.json_file import json_object
from bearing_search.data.files.listing import Folder, is_read, stem_of, suffix_of
from bearing_search.data.files.picture_index import PictureIndex
from bearing_search.data.importing.raw_sample import RawSample, RawSet
from bearing_search.data.importing.shapes import (
    Mask,
    add_ellipse,
    add_polygon,
    add_rectangle,
    add_window,
    decode_embedded,
    empty,
    size_of,
)
from bearing_search.data.importing.test_share import open_without_test
from bearing_search.data.layouts.ok_ng import is_normal_word, side_of
from bearing_search.errors import DataError

_AREAS = ("polygon", "rectangle", "circle", "mask")

Shape = Mapping[str, Any]


def is_labelme(root: Folder) -> bool:
    """Whether the first JSON file of a folder is LabelMe's."""
    return any(
        _is_label(json_object(folder.path / name))
        for folder in root.walk(3)
        for name in _json_files(folder)[:1]
    )


def read_labelme(root: Folder) -> RawSet:
    """Read LabelMe: an image is anomalous if its label file has an outline, else normal.

    Raises:
        DataError: a label file is damaged, or its image is missing.
    """
    index, labels, lines = PictureIndex(root), dict[Path, tuple[Path, list[Shape]]](), 0
    for folder in root.walk():
        for name in _json_files(folder):
            content = json_object(folder.path / name)
            if not _is_label(content):
                continue
            picture = _picture(index, content, folder.path, stem_of(name))
            said = [one for one in content["shapes"] if not is_normal_word(str(one.get("label")))]
            shapes = [one for one in said if _kind(one) in _AREAS]
            lines += len(said) - len(shapes)
            if picture in labels:
                raise DataError(
                    f"{picture}: is labelled twice, in {labels[picture][0].name} and {name}. Keep "
                    "one."
                )
            labels[picture] = (folder.path / name, shapes)
    samples = [_sample(root, picture, *labels.get(picture, (None, []))) for picture in _all(root)]
    bare = sum(sample.level_files[0] not in labels for sample in samples)
    said = [f"{bare} images without a label file count as normal"] if bare else []
    said += [f"{lines} lines and points have no area and are left out"] if lines else []
    return RawSet(samples=open_without_test(samples), said=tuple(said))


def _json_files(folder: Folder) -> list[str]:
    return [name for name in folder.files if suffix_of(name) == ".json"]


def _is_label(content: Mapping[str, Any]) -> bool:
    return isinstance(content.get("shapes"), list) and "imagePath" in content


def _kind(shape: Shape) -> str:
    return str(shape.get("shape_type") or "polygon")


def _all(root: Folder) -> Iterator[Path]:
    for folder in root.walk():
        yield from (folder.path / name for name in folder.files if is_read(name))


def _picture(index: PictureIndex, content: Mapping[str, Any], folder: Path, stem: str) -> Path:
    """The labelled image: by its path in the label file, or by the label file's own name."""
    beside = [file for file in index.by_stem(stem) if file.parent == folder]
    said = str(content["imagePath"])
    if len(beside) == 1 and beside[0].name != said.replace("\\", "/").rsplit("/", 1)[-1]:
        return beside[0]  # renamed together with its label file
    return index.find(said, near=folder)


def _sample(root: Folder, picture: Path, file: Path | None, shapes: Sequence[Shape]) -> RawSample:
    inside = picture.relative_to(root.path).parts[:-1]
    kinds = sorted({str(shape.get("label") or "defect") for shape in shapes})
    return RawSample(
        part=root.path.name,
        name="_".join((*(name for name in inside if side_of(name) is None), picture.stem)),
        level_files=(picture,),
        split=next((side for name in inside if (side := side_of(name))), None),
        defect="+".join(kinds),
        draw=partial(_draw, picture, file, tuple(shapes)) if file and shapes else None,
    )


def _draw(picture: Path, file: Path, shapes: Sequence[Shape]) -> Mask:
    mask = empty(*size_of(picture))
    for shape in shapes:
        try:
            _add(mask, shape)
        except (DataError, TypeError, ValueError, IndexError, KeyError) as error:
            raise DataError(f"{file}: a shape is not usable ({error}).") from None
    return mask


def _add(mask: Mask, shape: Shape) -> None:
    points = [(float(x), float(y)) for x, y in shape["points"]]
    kind = _kind(shape)
    if kind == "rectangle":
        add_rectangle(mask, *points[0], *points[1])
    elif kind == "circle":
        radius = float(np.hypot(points[1][0] - points[0][0], points[1][1] - points[0][1]))
        add_ellipse(mask, points[0], (radius, radius))
    elif kind == "mask":
        window = decode_embedded(shape["mask"])
        add_window(mask, window, round(points[0][0]), round(points[0][1]))
    else:
        add_polygon(mask, points)
