"""The table of layouts that `import` supports, and detection of a folder's layout."""

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bearing_search.data.files.listing import Folder, suffix_of
from bearing_search.data.importing.raw_sample import RawSample, RawSet
from bearing_search.data.layouts.coco import is_coco, read_coco
from bearing_search.data.layouts.cvat import (
    is_cvat_masks,
    is_cvat_xml,
    read_cvat_masks,
    read_cvat_xml,
)
from bearing_search.data.layouts.flat import (
    is_dagm,
    is_kolektor,
    is_pictures,
    read_dagm,
    read_kolektor,
    read_pictures,
)
from bearing_search.data.layouts.folders import part_folders, samples_of_folders
from bearing_search.data.layouts.labelme import is_labelme, read_labelme
from bearing_search.data.layouts.lists import is_real_iad, is_visa, read_real_iad, read_visa
from bearing_search.data.layouts.manifest import MANIFEST, has_manifest, samples_of_manifest
from bearing_search.data.layouts.mvtec import (
    is_ad2,
    is_btad,
    is_loco,
    read_ad2,
    read_btad,
    read_loco,
)
from bearing_search.data.layouts.ok_ng import is_ok_ng, read_ok_ng
from bearing_search.data.layouts.sagemaker import is_sagemaker, read_sagemaker
from bearing_search.data.samples import GOOD, Sample
from bearing_search.errors import DataError
from bearing_search.text.program import program

NATIVE, MANIFEST_LAYOUT = "mvtec-ad", "manifest"
"""Layouts that are read directly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to lay out a data set; its name is its key in `LAYOUTS`."""

    title: str
    """Its name in messages."""

    recognises: Callable[[Folder], bool]
    read: Callable[[Folder], RawSet]
    """Reads all its samples; opens images only if labels cannot be determined otherwise."""

    why: str = ""
    """Why it is not read directly, as a sentence."""


def _has_manifest(root: Folder) -> bool:
    return has_manifest(root.path)


def _read_manifest(root: Folder) -> RawSet:
    return _as_raw(samples_of_manifest(root.path))


def _is_native(root: Folder) -> bool:
    return any(part.below("train", GOOD) for part in part_folders(root))


def _read_native(root: Folder) -> RawSet:
    return _as_raw(samples_of_folders(root.path))


def _as_raw(found: Iterable[Sample]) -> RawSet:
    """Convert samples of a layout that is read directly."""
    samples = [
        RawSample(
            part=sample.part,
            name=sample.name,
            level_files=sample.level_files,
            split=sample.split,
            defect=sample.defect if sample.is_anomalous else "",
            group=sample.group,
            mask_files=sample.mask_files,
        )
        for sample in found
    ]
    return RawSet(samples=tuple(samples), said=("this layout can also be read without import",))


def _is_halcon(root: Folder) -> bool:
    return any(suffix_of(name) == ".hdict" for folder in root.walk(2) for name in folder.files)


def _refuse_halcon(root: Folder) -> RawSet:
    raise DataError(
        f"{root.path}: Halcon's .hdict is not supported. Export the images and masks from the Deep "
        "Learning Tool into one folder per class, and import those."
    )


LAYOUTS: dict[str, Layout] = {
    MANIFEST_LAYOUT: Layout(title=MANIFEST, recognises=_has_manifest, read=_read_manifest),
    "mvtec-ad-2": Layout(title="MVTec AD 2", recognises=is_ad2, read=read_ad2),
    "mvtec-loco": Layout(title="MVTec LOCO AD", recognises=is_loco, read=read_loco),
    "dagm": Layout(title="DAGM 2007", recognises=is_dagm, read=read_dagm),
    "kolektorsdd2": Layout(title="KolektorSDD2", recognises=is_kolektor, read=read_kolektor),
    "btad": Layout(
        title="BTAD (ok/ko)",
        recognises=is_btad,
        read=read_btad,
        why="There is no folder good; normal samples belong in train/good.",
    ),
    NATIVE: Layout(title="MVTec AD", recognises=_is_native, read=_read_native),
    "mpdd": Layout(title="MPDD", recognises=_is_native, read=_read_native),
    "visa": Layout(title="VisA", recognises=is_visa, read=read_visa),
    "real-iad": Layout(title="Real-IAD", recognises=is_real_iad, read=read_real_iad),
    "coco": Layout(title="COCO", recognises=is_coco, read=read_coco),
    "cvat": Layout(title="CVAT for images (XML)", recognises=is_cvat_xml, read=read_cvat_xml),
    "cvat-masks": Layout(
        title="CVAT segmentation masks", recognises=is_cvat_masks, read=read_cvat_masks
    ),
    "labelme": Layout(title="LabelMe", recognises=is_labelme, read=read_labelme),
    "sagemaker": Layout(
        title="SageMaker's .manifest", recognises=is_sagemaker, read=read_sagemaker
    ),
    "ok-ng": Layout(title="folders OK and NG", recognises=is_ok_ng, read=read_ok_ng),
    "pictures": Layout(title="pictures without labels", recognises=is_pictures, read=read_pictures),
    "halcon": Layout(title="Halcon (.hdict)", recognises=_is_halcon, read=_refuse_halcon),
}
"""Name -> layout, tried in this order. Those before `mvtec-ad` contain its folders among others,
so they must be tried first."""


def layout_of(root: Path) -> str | None:
    """Name of the first layout that recognises the folder, or None.

    Raises:
        DataError: a folder cannot be read.
    """
    folder = Folder(root.absolute())
    for name, layout in LAYOUTS.items():
        if layout.recognises(folder):
            return name
        if name == NATIVE and folder.below("train", GOOD):
            return None  # one part of such a set, not a data set
    return None


def import_line(root: Path, name: str) -> str:
    """A sentence with the layout of a folder and the command that imports it."""
    layout = LAYOUTS[name]
    if name == "halcon":
        return f"{root}: holds Halcon's .hdict files, which are not supported."
    why = f"{layout.why} " if layout.why else ""
    return (
        f"{root}: has the layout of {layout.title}. {why}Import it: "
        f"{program()} import {shlex.quote(str(root))} --out DATA"
    )
