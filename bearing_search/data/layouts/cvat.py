"""CVAT's two exports with outlines: "CVAT for images" (XML) and "Segmentation mask".

The XML has an `image` with `name`, `width` and `height` for each file, containing `polygon`, `box`,
`ellipse`, `mask` (runs along the rows of a box) or `tag`. The other has a class map for each image
in `SegmentationClass/`, with the colours in `labelmap.txt`.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from bearing_search.data.files.listing import Folder, is_read, stem_of
from bearing_search.data.files.picture_index import PictureIndex
from bearing_search.data.importing.raw_sample import Draw, RawSample, RawSet
from bearing_search.data.importing.shapes import (
    Mask,
    add_ellipse,
    add_polygon,
    add_rectangle,
    add_window,
    empty,
    mask_of_colours,
    runs_to_mask,
)
from bearing_search.data.importing.test_share import open_without_test
from bearing_search.data.layouts.ok_ng import is_normal_word, side_of
from bearing_search.data.samples import Split
from bearing_search.errors import DataError

Colour = tuple[int, int, int]

_BACKGROUND = "background"
_CLASSES, _OBJECTS = "SegmentationClass", "SegmentationObject"
_AREAS = ("polygon", "box", "ellipse", "mask")

# ---- XML


def is_cvat_xml(root: Folder) -> bool:
    """Whether an XML file begins with CVAT's `annotations`."""
    return bool(_xml_files(root))


def read_cvat_xml(root: Folder) -> RawSet:
    """Read CVAT's XML: an image with an outline, or a tag other than normal, is anomalous.

    Raises:
        DataError: the XML is damaged, or an image is missing.
    """
    index, samples, lines = PictureIndex(root), [], 0
    for file in _xml_files(root):
        for image in _images(file):
            picture = index.find(image.get("name", ""), near=file.parent / "images")
            shapes = [one for one in image if _is_defect(one)]
            tags = [one.get("label", "defect") for one in image if one.tag == "tag"]
            lines += sum(one.tag in ("polyline", "points") for one in image)
            kinds = {one.get("label", "defect") for one in shapes}
            kinds |= {tag for tag in tags if not is_normal_word(tag)}
            samples.append(
                RawSample(
                    part=root.path.name,
                    name=picture.stem,
                    level_files=(picture,),
                    split=_side(root, picture) or _side(root, file),
                    defect="+".join(sorted(kinds)),
                    draw=partial(_draw, file, image) if shapes else None,
                )
            )
    said = ["an image without an outline counts as normal"]
    said += [f"{lines} lines and points have no area and are left out"] if lines else []
    return RawSet(samples=open_without_test(samples), said=tuple(said))


def _xml_files(root: Folder) -> list[Path]:
    files = [
        folder.path / name
        for folder in root.walk(3)
        for name in folder.files
        if name.lower().endswith(".xml")
    ]
    return [file for file in files if _is_cvat(file)]


def _is_cvat(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return b"<annotations" in stream.read(500)
    except OSError:
        return False


def _images(file: Path) -> list[ElementTree.Element]:
    try:
        content = file.read_bytes()
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            raise DataError(f"{file}: declares XML entities, which CVAT never does; refused.")
        return ElementTree.fromstring(content).findall("image")
    except (OSError, ElementTree.ParseError) as error:
        raise DataError(f"{file}: not an XML file ({error}).") from None


def _side(root: Folder, file: Path) -> Split | None:
    inside = file.relative_to(root.path).parts[:-1]
    return next((side for name in inside if (side := side_of(name))), None)


def _draw(file: Path, image: ElementTree.Element) -> Mask:
    try:
        mask = empty(int(image.get("height", "")), int(image.get("width", "")))
        for shape in image:
            if _is_defect(shape):
                _add(mask, shape)
    except (DataError, ValueError, IndexError) as error:
        raise DataError(
            f"{file}: the outlines of {image.get('name')} are not usable ({error})."
        ) from None
    return mask


def _is_defect(shape: ElementTree.Element) -> bool:
    return shape.tag in _AREAS and not is_normal_word(shape.get("label", ""))


def _add(mask: Mask, shape: ElementTree.Element) -> None:
    if shape.tag == "polygon":
        corners = shape.get("points", "").split(";")
        add_polygon(mask, [[float(value) for value in corner.split(",")] for corner in corners])
    elif shape.tag == "box":
        add_rectangle(mask, *_numbers(shape, "xtl", "ytl", "xbr", "ybr"))
    elif shape.tag == "ellipse":
        x, y, across, down = _numbers(shape, "cx", "cy", "rx", "ry")
        add_ellipse(mask, (x, y), (across, down))
    else:
        left, top, width, height = map(int, _numbers(shape, "left", "top", "width", "height"))
        counts = [int(count) for count in shape.get("rle", "").split(",")]
        window = runs_to_mask(counts, height, width, by_columns=False)
        add_window(mask, window, left, top)


def _numbers(shape: ElementTree.Element, *names: str) -> list[float]:
    return [float(shape.get(name, "")) for name in names]


# ---- masks


def is_cvat_masks(root: Folder) -> bool:
    """Whether there is a folder SegmentationClass."""
    return any(_CLASSES in folder.folders for folder in root.walk(2))


def read_cvat_masks(root: Folder) -> RawSet:
    """Read CVAT's masks: an image is anomalous if its class map is not all background.

    Raises:
        DataError: `labelmap.txt` is damaged, a mask cannot be read, or its image is missing.
    """
    index, samples, masked = PictureIndex(root), [], set()
    for folder in (one for one in root.walk(2) if _CLASSES in one.folders):
        labels = _labels(folder)
        for name in folder.folders[_CLASSES].pictures:
            stem = stem_of(name)
            found = index.by_stem(stem, apart_from=(_CLASSES, _OBJECTS))
            if len(found) != 1:
                number = f"{len(found)} images" if found else "no image"
                raise DataError(
                    f"{folder.path / _CLASSES / name}: {number} of that name below {root.path}. "
                    "CVAT exports the images on request; put them next to it, into images/."
                )
            mask = folder.path / _CLASSES / name
            defect = _kinds_in(mask, labels)
            draw = partial(mask_of_colours, mask, [labels[_BACKGROUND]], are_background=True)
            samples.append(_masked(root, found[0], defect, draw if defect else None))
            masked.add(found[0])
    bare = [file for file in _others(root) if file not in masked]
    samples += [_masked(root, file, "", None) for file in bare]
    said = [f"{len(bare)} images without a mask count as normal"] if bare else []
    return RawSet(samples=open_without_test(samples), said=tuple(said))


def _masked(root: Folder, picture: Path, defect: str, draw: Draw | None) -> RawSample:
    return RawSample(
        part=root.path.name,
        name=picture.stem,
        level_files=(picture,),
        split=_side(root, picture),
        defect=defect,
        draw=draw,
    )


def _kinds_in(mask: Path, labels: Mapping[str, Colour]) -> str:
    """The labels in a mask, joined by +; `defect` for colours without a label, "" for none."""
    marked = mask_of_colours(mask, [labels[_BACKGROUND]], are_background=True)
    if not marked.any():
        return ""
    others = {name: colour for name, colour in labels.items() if name != _BACKGROUND}
    drawn = {name: mask_of_colours(mask, [c], are_background=False) for name, c in others.items()}
    kinds = {name for name, pixels in drawn.items() if pixels.any()}
    if not marked[~np.logical_or.reduce([np.zeros_like(marked), *drawn.values()])].any():
        return "+".join(sorted(kinds))
    return "+".join(sorted(kinds | {"defect"}))


def _others(root: Folder) -> Iterator[Path]:
    for folder in root.walk():
        if not set(folder.path.relative_to(root.path).parts) & {_CLASSES, _OBJECTS}:
            yield from (folder.path / name for name in folder.files if is_read(name))


def _labels(folder: Folder) -> dict[str, Colour]:
    """The labels of `labelmap.txt` with their colours (RGB); the background is black by default."""
    file, labels = folder.path / "labelmap.txt", {_BACKGROUND: (0, 0, 0)}
    if file.name not in folder.files:
        return labels
    for line in file.read_text(encoding="utf-8-sig").splitlines():
        name, _, rest = line.partition(":")
        if name.strip() and not name.startswith("#"):
            try:
                red, green, blue = map(int, rest.split(":")[0].split(","))
            except ValueError:
                raise DataError(f"{file}: {line!r} has no colour; wanted r,g,b.") from None
            is_background = name.strip().lower() == _BACKGROUND
            labels[_BACKGROUND if is_background else name.strip()] = (red, green, blue)
    return labels
