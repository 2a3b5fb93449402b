"""Layouts of MVTec's family that must be imported: AD 2, LOCO, and BTAD with its `ok`/`ko`.

Structures as in anomalib's `mvtecad2.py`, `mvtec_loco.py` and `btech.py`.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from bearing_search.data.files.listing import Folder
from bearing_search.data.files.mask_files import holds_masks, mask_places, masks_in, one_mask
from bearing_search.data.importing.raw_sample import RawSample, RawSet
from bearing_search.data.layouts.folders import (
    NORMAL_NAMES,
    files_by_level,
    part_folders,
)
from bearing_search.data.samples import GOOD, Split

_LIGHT = re.compile(r"(?P<thing>.+?)_(?P<light>regular|overexposed|underexposed|shift_\d+|mixed)")
_BRIGHTEST_FIRST = ("overexposed", "regular", "mixed", "underexposed")
_OTHER_SPLITS = ("validation", "val", "valid")
"""Folders of normal samples that count as train."""


def parts_of(root: Folder) -> list[Folder]:
    """The parts below a folder that holds them, or the folder itself if it is one part."""
    return [root] if "train" in root.folders else part_folders(root)


# ---- MVTec AD 2


def is_ad2(root: Folder) -> bool:
    """Whether there are parts with test_public/."""
    return any("test_public" in part.folders for part in parts_of(root))


def read_ad2(root: Folder) -> RawSet:
    """Read MVTec AD 2: `validation` joins train, `test_public` is test, lights stay together.

    The lights of one object become its brightness levels if every object of the part was imaged
    under the same ones; otherwise each is a separate sample, and the object is their group.

    Raises:
        DataError: two masks for one sample.
    """
    samples: list[RawSample] = []
    said = []
    for part in parts_of(root):
        found = [
            *_plain(part, "train", "train"),
            *_plain(part, "validation", "train"),
            *_plain(part, "test_public", "test"),
        ]
        joined = _lights_as_levels(found)
        samples += joined or found
        if joined:
            said.append(f"{part.path.name}: the lights of an object are its brightness levels")
        elif any(sample.group for sample in found):
            said.append(
                f"{part.path.name}: not every object was imaged under the same lights, so each "
                "image is a sample, and the images of one object are one group"
            )
        for name in ("test_private", "test_private_mixed"):
            unlabelled = part.below(name)
            if unlabelled is not None:
                said.append(
                    f"{part.path.name}/{name}: {len(unlabelled.pictures)} images are left out, "
                    "as they have no labels"
                )
    return RawSet(samples=tuple(samples), said=tuple(said))


def _plain(part: Folder, folder: str, split: Split) -> Iterator[RawSample]:
    """The samples in each `<folder>/<kind>`."""
    inside = part.below(folder)
    for kind, below in inside.folders.items() if inside else ():
        if holds_masks(below):
            continue
        masks = masks_in(mask_places(part, folder, kind)) if kind != GOOD else {}
        for name, levels in files_by_level(below).items():
            title = f"{part.path.name}/{folder}/{kind}/{name}"
            match = _LIGHT.fullmatch(name)
            prefix = "" if folder in ("train", "test", "test_public") else f"{folder}_"
            yield RawSample(
                part=part.path.name,
                name=f"{prefix}{name}",
                level_files=levels,
                split=split,
                defect="" if kind == GOOD else kind,
                group=f"{part.path.name}/{folder}/{kind}/{match['thing']}" if match else "",
                mask_files=one_mask(title, masks.get(name, [])),
            )


def _lights_as_levels(found: list[RawSample]) -> list[RawSample]:
    """One sample per object with its lights as levels; empty if they differ in lights."""
    things: dict[str, dict[str, RawSample]] = defaultdict(dict)
    for sample in found:
        match = _LIGHT.fullmatch(sample.name)
        if match is None:
            return []
        things[sample.group][match["light"]] = sample
    lights = {tuple(sorted(by_light, key=_rank)) for by_light in things.values()}
    if len(lights) != 1 or len(order := lights.pop()) == 1:
        return []
    return [_joined([by_light[light] for light in order]) for by_light in things.values()]


def _joined(lights: list[RawSample]) -> RawSample:
    first = lights[0]
    match = _LIGHT.fullmatch(first.name)
    return RawSample(
        part=first.part,
        name=match["thing"] if match else first.name,
        level_files=tuple(file for one in lights for file in one.level_files),
        split=first.split,
        defect=first.defect,
        group=first.group,
        mask_files=tuple(file for one in lights for file in one.mask_files),
    )


def _rank(light: str) -> tuple[int, str]:
    known = _BRIGHTEST_FIRST
    return (known.index(light) if light in known else 2, light)


# ---- MVTec LOCO AD


def is_loco(root: Folder) -> bool:
    """Whether there are parts with validation/good and a folder of masks for each image."""
    return any(
        part.below("validation", GOOD) and _has_folders_of_masks(part) for part in parts_of(root)
    )


def _has_folders_of_masks(part: Folder) -> bool:
    masks = part.below("ground_truth")
    kinds = masks.folders.values() if masks else ()
    return any(picture.pictures for kind in kinds for picture in kind.folders.values())


def read_loco(root: Folder) -> RawSet:
    """Read MVTec LOCO AD: `validation` joins train; the masks of one image are merged.

    Raises:
        DataError: two masks for one sample.
    """
    samples = [
        sample
        for part in parts_of(root)
        for folder, split in _SPLITS.items()
        for sample in _plain(part, folder, split)
    ]
    said = ("validation counts as train", "the masks of one image are merged")
    return RawSet(samples=tuple(samples), said=said)


_SPLITS: Mapping[str, Split] = {"train": "train", "validation": "train", "test": "test"}


# ---- BTAD, and others whose normal samples are not in `good`


def is_btad(root: Folder) -> bool:
    """Whether parts have their normal training samples in a folder such as `ok`, not in `good`."""
    return any(_normal_folder(part) for part in parts_of(root))


def read_btad(root: Folder) -> RawSet:
    """Read BTAD and the like: the folder of normal samples is `ok` or a synonym.

    Raises:
        DataError: two masks for one sample.
    """
    samples: list[RawSample] = []
    said = set()
    for part in parts_of(root):
        for folder in (name for name in part.folders if name in _ANY_SPLIT):
            split: Split = "test" if folder == "test" else "train"
            for kind, below in (part.below(folder) or part).folders.items():
                if holds_masks(below):
                    continue
                is_normal = kind.lower() in NORMAL_NAMES
                if is_normal:
                    said.add(f"samples in {kind}/ are normal")
                samples += _of_kind(part, (folder, split), below, is_normal=is_normal)
    return RawSet(samples=tuple(samples), said=tuple(sorted(said)))


_ANY_SPLIT = ("train", "test", *_OTHER_SPLITS)


def _normal_folder(part: Folder) -> str:
    train = part.below("train")
    names = [name for name in (train.folders if train else ()) if name.lower() in NORMAL_NAMES]
    return names[0] if names and GOOD not in names else ""


def _of_kind(
    part: Folder, side: tuple[str, Split], below: Folder, *, is_normal: bool
) -> Iterator[RawSample]:
    folder, split = side
    kind = below.path.name
    masks = {} if is_normal else masks_in(mask_places(part, folder, kind))
    for name, levels in files_by_level(below).items():
        title = f"{part.path.name}/{folder}/{kind}/{name}"
        yield RawSample(
            part=part.path.name,
            name=name if folder in ("train", "test") else f"{folder}_{name}",
            level_files=levels,
            split=split,
            defect="" if is_normal else kind,
            mask_files=one_mask(title, masks.get(name, [])),
        )
