"""Images sorted into folders such as OK/ and NG/, perhaps also by part, kind of defect or split.

The first folder of a path whose name means normal or defective decides. Folders above it name the
part, or train and test; folders below a defective one name the kind of defect.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bearing_search.data.files.listing import Folder
from bearing_search.data.files.mask_files import (
    Masks,
    is_mask_folder,
    masks_beside,
    masks_in,
    one_mask,
)
from bearing_search.data.importing.raw_sample import RawSample, RawSet
from bearing_search.data.importing.test_share import open_without_test
from bearing_search.data.layouts.folders import NORMAL_NAMES, files_by_level
from bearing_search.data.samples import Split

_DEFECTIVE_NAMES = frozenset(
    {
        *("ng", "ko", "nok", "not_ok", "bad", "defect", "defects", "defective", "anomaly"),
        *("anomalies", "anomalous", "abnormal", "fail", "failed", "reject", "rejected", "faulty"),
        *("no_good", "not_good", "def", "damaged"),
    }
)
"""Names of folders of defective samples, in lower case."""

_NORMAL = NORMAL_NAMES | {"ok_front", "okay", "positive_ok", "양품", "정상", "合格", "良品"}
_DEFECTIVE = _DEFECTIVE_NAMES | {"def_front", "불량", "불량품", "不良", "不良品", "不合格"}
_VALIDATION = ("val", "valid", "validation")
_SIDES: dict[str, Split] = {
    **dict.fromkeys(("train", "training", *_VALIDATION), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Validation joins train, or serves as test if there is no test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A folder of images, and what its path says about them."""

    folder: Folder
    part: str
    split: Split | None
    defect: str
    prefix: str
    """Prepended to the names of samples, which may recur in other folders."""


def is_ok_ng(root: Folder) -> bool:
    """Whether there are images below folders whose name means normal, such as OK."""
    return any(not place.defect for place in _places(root))


def read_ok_ng(root: Folder) -> RawSet:
    """Read OK/ and NG/: images in OK/ are normal, those in NG/ defective; masks match by name.

    Raises:
        DataError: a sample has two masks, or lacks a level.
    """
    masks, samples = _masks(root), []
    for place in _with_test(list(_places(root))):
        beside = masks_beside(place.folder)
        for name, levels in files_by_level(place.folder).items():
            stems = sorted({name, *(file.stem for file in levels)})
            found: list[tuple[Path, ...]] = [
                (place.folder.path / mask,) for stem in stems for mask in beside.get(stem, ())
            ]
            title = f"{place.folder.path.name}/{name}"
            found += _of_kind(masks[place.part].get(name, []), place) if place.defect else []
            samples.append(
                RawSample(
                    part=place.part,
                    name=f"{place.prefix}{name}",
                    level_files=levels,
                    split=place.split,
                    defect=place.defect,
                    mask_files=one_mask(title, found if place.defect else []),
                )
            )
    words = sorted({place.folder.path.name for place in _places(root) if not place.defect})
    return RawSet(
        samples=open_without_test(samples), said=(f"samples in {', '.join(words)} are normal",)
    )


def _with_test(places: list[_Place]) -> list[_Place]:
    """The places; if none is test, validation becomes test."""
    if any(place.split == "test" for place in places):
        return places
    return [
        replace(place, split="test")
        if any(name.lower() in _VALIDATION for name in place.folder.path.parts[-4:])
        else place
        for place in places
    ]


def _masks(root: Folder) -> dict[str, Masks]:
    """Part -> its masks, by sample name."""
    folders: dict[str, list[Folder]] = defaultdict(list)
    for folder in root.walk(6):
        inside = _inside(root, folder)
        at = next((at for at, name in enumerate(inside) if is_mask_folder(name)), None)
        if at is not None:
            folders[_part(root, inside[:at])].append(folder)
    return defaultdict(dict, {part: masks_in(found) for part, found in folders.items()})


def _of_kind(found: list[tuple[Path, ...]], place: _Place) -> list[tuple[Path, ...]]:
    """Among masks of one name, those in a folder of the sample's kind, if any; else all."""
    kind = place.folder.path.name
    return [one for one in found if kind in one[0].parts] or found


def side_of(name: str) -> Split | None:
    """The split that a folder's name stands for, or None."""
    return _SIDES.get(name.lower())


def is_normal_word(name: str) -> bool:
    """Whether a label means that a sample is normal."""
    return _means(name) is True


def _places(root: Folder) -> Iterator[_Place]:
    for folder in root.walk(6):
        inside = _inside(root, folder)
        if not folder.pictures or any(map(is_mask_folder, inside)):
            continue
        labels = [at for at, name in enumerate(inside) if _means(name) is not None]
        if not labels:
            continue
        at = labels[0]
        above, label, below = inside[:at], inside[at], inside[at + 1 :]
        sides = [_SIDES[name.lower()] for name in inside if name.lower() in _SIDES]
        kinds = [name for name in below if name.lower() not in _SIDES]
        is_normal = _means(label) is True
        yield _Place(
            folder=folder,
            part=_part(root, above),
            split=sides[0] if sides else None,
            defect="" if is_normal else "-".join(kinds) or "defect",
            prefix="".join(f"{name}_" for name in kinds) if is_normal else "",
        )


def _means(name: str) -> bool | None:
    """True: the folder's samples are normal; False: defective; None: the name means neither."""
    plain = name.lower().replace("-", "_").replace(" ", "_")
    if plain in _NORMAL:
        return True
    return False if plain in _DEFECTIVE else None


def _part(root: Folder, above: tuple[str, ...]) -> str:
    """A part's name, from the folders above its kinds except those named like splits or images."""
    told = [name for name in above if name.lower() not in _SIDES and name.lower() not in _SAY_NONE]
    return "-".join(told) or root.path.name


_SAY_NONE = ("data", "images", "image", "imgs", "img", "pictures")


def _inside(root: Folder, folder: Folder) -> tuple[str, ...]:
    return folder.path.relative_to(root.path).parts
