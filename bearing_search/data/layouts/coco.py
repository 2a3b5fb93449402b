"""COCO: JSON files that list `images`, `annotations` and `categories`; outlines, runs or boxes.

A file, or its folder, is named after its split, such as `instances_train.json` or Roboflow's
`train/_annotations.coco.json`.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bearing_search.data.files.json_file import json_object
from bearing_search.data.files.listing import Folder, suffix_of
from bearing_search.data.files.picture_index import PictureIndex
from bearing_search.data.importing.raw_sample import RawSample, RawSet
from bearing_search.data.importing.shapes import (
    Mask,
    add_polygon,
    add_rectangle,
    decompress_runs,
    runs_to_mask,
    size_of,
)
from bearing_search.data.importing.shapes import empty as empty_mask
from bearing_search.data.importing.test_share import open_without_test
from bearing_search.data.layouts.ok_ng import is_normal_word, side_of
from bearing_search.data.samples import Split
from bearing_search.errors import DataError

_KEYS = {"images", "annotations", "categories"}

Entry = Mapping[str, Any]


def is_coco(root: Folder) -> bool:
    """Whether a JSON file lists images, annotations and categories."""
    return bool(_files(root, first_only=True))


def read_coco(root: Folder) -> RawSet:
    """Read COCO: an image with an annotation is anomalous, one without is normal.

    Raises:
        DataError: an entry is damaged, an image is missing or listed twice, or an outline cannot be
            rendered.
    """
    index, samples, boxes = PictureIndex(root), dict[Path, RawSample](), 0
    sides = {file: _side(root, file) for file in _files(root)}
    if "test" not in sides.values():  # validation serves as test
        sides = {file: "test" if _is_validation(file) else side for file, side in sides.items()}
    for file, split in sides.items():
        content = json_object(file)
        of_image: dict[Any, list[Entry]] = defaultdict(list)
        for one in content["annotations"]:
            of_image[one.get("image_id")].append(one)
            boxes += not one.get("segmentation")
        names = {one.get("id"): str(one.get("name")) for one in content["categories"]}
        for image in content["images"]:
            picture = _picture(index, image, file)
            if picture in samples:
                raise DataError(f"{file}: lists {picture.name} twice. Keep one entry.")
            marked = [
                one
                for one in of_image.get(image.get("id"), [])
                if not is_normal_word(names.get(one.get("category_id"), ""))
            ]
            kinds = {names.get(one.get("category_id"), "defect") for one in marked}
            samples[picture] = RawSample(
                part=root.path.name,
                name=picture.stem,
                level_files=(picture,),
                split=split,
                defect="+".join(sorted(kinds)),
                draw=partial(_draw, picture, file, tuple(marked)) if marked else None,
            )
    said = ["an image without an annotation counts as normal"]
    said += [f"{boxes} annotations have a box but no outline: the whole box is marked"] * bool(
        boxes
    )
    said += ["validation counts as test"] * any(
        side == "test" and _is_validation(file) for file, side in sides.items()
    )
    return RawSet(samples=open_without_test(samples.values()), said=tuple(said))


def _files(root: Folder, *, first_only: bool = False) -> list[Path]:
    found = []
    for folder in root.walk(3):
        names = [name for name in folder.files if suffix_of(name) == ".json"]
        for name in names[:3] if first_only else names:
            content = json_object(folder.path / name)
            if content.keys() >= _KEYS and all(isinstance(content[key], list) for key in _KEYS):
                found.append(folder.path / name)
                if first_only:
                    return found
    return found


def _words(file: Path) -> list[str]:
    return re.split(r"[^a-z]+", f"{file.parent.name} {file.stem}".lower())


def _side(root: Folder, file: Path) -> Split | None:
    return next((side for word in _words(file) if (side := side_of(word))), None)


def _is_validation(file: Path) -> bool:
    return any(word.startswith("val") for word in _words(file))


def _picture(index: PictureIndex, image: Entry, file: Path) -> Path:
    name = image.get("file_name")
    if not isinstance(name, str):
        raise DataError(f"{file}: an image has no file_name: {image!r}.")
    return index.find(name, near=file.parent)


def _draw(picture: Path, file: Path, marked: Sequence[Entry]) -> Mask:
    height, width = size_of(picture)
    mask = empty_mask(height, width)
    for one in marked:
        try:
            _add(mask, one)
        except (DataError, TypeError, ValueError, IndexError, KeyError) as error:
            raise DataError(
                f"{file}: annotation {one.get('id')} of {picture.name} is not usable ({error})."
            ) from None
    return mask


def _add(mask: Mask, one: Entry) -> None:
    segmentation = one.get("segmentation")
    if not segmentation:
        left, top, width, height = map(float, one["bbox"])
        add_rectangle(mask, left, top, left + width, top + height)
    elif isinstance(segmentation, Mapping):
        height, width = map(int, segmentation["size"])
        if (height, width) != mask.shape:
            raise DataError(f"its runs are for {width}x{height} pixels")
        counts = segmentation["counts"]
        runs = decompress_runs(counts) if isinstance(counts, str) else counts
        mask |= runs_to_mask(runs, height, width, by_columns=True)
    else:
        for outline in segmentation:
            add_polygon(mask, [outline[at : at + 2] for at in range(0, len(outline), 2)])
