"""Layouts without folders for kinds of defects: KolektorSDD2, DAGM 2007, and plain images.

Masks are matched by name; KolektorSDD2 has one for every image, which is empty for normal ones.
Structures as in vicoslab's `input_ksdd2.py` and `input_dagm.py`.
"""

from collections.abc import Iterator

from bearing_search.data.files.listing import Folder, stem_of
from bearing_search.data.files.mask_files import masks_beside, masks_in, one_mask
from bearing_search.data.importing.raw_sample import RawSample, RawSet
from bearing_search.data.importing.shapes import united
from bearing_search.data.layouts.folders import files_by_level
from bearing_search.data.samples import Split

_DEFECT = "defect"
_SPLITS: dict[str, Split] = {"train": "train", "test": "test"}


def is_kolektor(root: Folder) -> bool:
    """Whether train/ holds images with masks next to most of them, and no folders."""
    train = root.below("train")
    if train is None or train.folders:
        return False
    masks = sum(len(names) for names in masks_beside(train).values())
    return 0 < masks >= 0.4 * len(train.pictures)


def read_kolektor(root: Folder) -> RawSet:
    """Read KolektorSDD2: an image is anomalous if its mask marks anything; masks are opened.

    Raises:
        DataError: a mask cannot be read, or an image has two.
    """
    samples = []
    for name, split in _SPLITS.items():
        folder = root.below(name)
        samples += list(_with_masks_beside(folder, root, split)) if folder else []
    return RawSet(
        samples=tuple(samples), said=("an image is anomalous if its mask marks anything",)
    )


def _with_masks_beside(folder: Folder, root: Folder, split: Split) -> Iterator[RawSample]:
    masks = masks_beside(folder)
    taken = {name for names in masks.values() for name in names}
    for picture in folder.pictures:
        if picture in taken:
            continue
        stem = stem_of(picture)
        files = one_mask(stem, [(folder.path / name,) for name in masks.get(stem, ())])
        is_anomalous = bool(files) and bool(united(files, folder.path / picture).any())
        yield RawSample(
            part=root.path.name,
            name=stem,
            level_files=(folder.path / picture,),
            split=split,
            defect=_DEFECT if is_anomalous else "",
            mask_files=files if is_anomalous else (),
        )


def is_pictures(root: Folder) -> bool:
    """Always False: only the user can know that all images are normal."""
    return False


def read_pictures(root: Folder) -> RawSet:
    """Read images without labels: all are normal, and each folder is a part.

    Raises:
        DataError: a brightness level is missing.
    """
    samples = [
        RawSample(
            part="-".join(folder.path.relative_to(root.path).parts) or root.path.name,
            name=name,
            level_files=levels,
        )
        for folder in root.walk()
        for name, levels in files_by_level(folder).items()
    ]
    return RawSet(samples=tuple(samples), said=("every image counts as normal",))


def is_dagm(root: Folder) -> bool:
    """Whether there are parts with Train/ and Test/ that have their masks in Label/."""
    return any(_sides(part) for part in _parts(root))


def read_dagm(root: Folder) -> RawSet:
    """Read DAGM 2007: an image is anomalous if Label/ holds a mask of it.

    Raises:
        DataError: an image has two masks.
    """
    samples = []
    for part in _parts(root):
        for split, folder in _sides(part):
            masks = masks_in(_labels(folder))
            for picture in folder.pictures:
                stem = stem_of(picture)
                files = one_mask(f"{part.path.name}/{stem}", masks.get(stem, []))
                samples.append(
                    RawSample(
                        part=part.path.name,
                        name=stem,
                        level_files=(folder.path / picture,),
                        split=split,
                        defect=_DEFECT if files else "",
                        mask_files=files,
                    )
                )
    said = ("an image is anomalous if Label/ holds a mask of it",)
    return RawSet(samples=tuple(samples), said=said)


def _parts(root: Folder) -> list[Folder]:
    return [root] if _sides(root) else list(root.folders.values())


def _sides(part: Folder) -> list[tuple[Split, Folder]]:
    """Train and test of a part, if they hold images and one of them has a folder Label."""
    found = [
        (_SPLITS[name.lower()], folder)
        for name, folder in part.folders.items()
        if name.lower() in _SPLITS and folder.pictures
    ]
    return found if any(_labels(folder) for _, folder in found) else []


def _labels(folder: Folder) -> list[Folder]:
    return [below for name, below in folder.folders.items() if name.lower() in ("label", "labels")]
