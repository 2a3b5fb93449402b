"""Matches masks to samples by the names that people and tools give them.

For sample `x`: `x_mask.png`, `x.png`, `x_GT.png`, `x_label.png`, with any supported suffix, or all
images in a folder `x/`, which are merged. They are in `ground_truth/<defect>/`, in a folder such as
`masks` or `Label`, or next to the images if their names end like a mask's.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from bearing_search.data.files.listing import (
    Folder,
    few,
    is_picture,
    is_read,
    read_suffixes,
    stem_of,
)
from bearing_search.data.samples import LEVEL_NAME, Sample
from bearing_search.errors import DataError

MASK_FOLDERS = frozenset({"ground_truth", "groundtruth", "gt", "mask", "masks", "label", "labels"})
"""Names of folders that hold masks, in lower case."""

_ENDING = re.compile(
    r"(?P<name>.+?)[_-](?:mask|gt|label|ground_?truth)(?:[_-]?\d+)?", re.IGNORECASE
)

Masks = Mapping[str, list[tuple[Path, ...]]]
"""Name of a sample -> its masks; each is one file, or the files of one folder."""


def named_like_a_mask(name: str) -> str | None:
    """The stem of the image that a file named like a mask belongs to; None for other names."""
    match = _ENDING.fullmatch(stem_of(name))
    return match["name"] if match else None


def is_mask_folder(name: str) -> bool:
    """Whether a folder of that name holds masks."""
    return name.lower() in MASK_FOLDERS


def holds_masks(folder: Folder) -> bool:
    """Whether a folder among those of defect kinds holds masks, by its name and content.

    `label` may also be a kind of defect; then its images are not named like masks.
    """
    name = folder.path.name.lower()
    if name not in ("label", "labels"):
        return is_mask_folder(name)
    return bool(folder.folders) or all(map(named_like_a_mask, folder.pictures))


def masks_in(folders: Iterable[Folder]) -> Masks:
    """Every mask in the folders, under each name that its sample may have."""
    found: dict[str, list[tuple[Path, ...]]] = defaultdict(list)
    for folder in folders:
        for name in folder.pictures:
            for owner in _owners(stem_of(name)):
                found[owner].append((folder.path / name,))
        for owner, below in folder.folders.items():
            if below.pictures:
                found[owner].append(tuple(below.path / name for name in below.pictures))
    return found


def masks_beside(folder: Folder) -> dict[str, list[str]]:
    """Names of masks next to their images, by the image's stem: `x_GT.png` next to `x.png`."""
    stems = {stem_of(name) for name in folder.pictures}
    stems |= {match["name"] for stem in stems if (match := LEVEL_NAME.fullmatch(stem))}
    found: dict[str, list[str]] = defaultdict(list)
    for name in folder.pictures:
        owner = named_like_a_mask(name)
        if owner in stems:
            found[owner].append(name)
    return found


def mask_places(part: Folder, split: str, defect: str) -> Iterator[Folder]:
    """The folders below a part that may hold masks of one kind of defect; see the module."""
    places = [part.folders[name] for name in part.folders if is_mask_folder(name)]
    for place in places:
        for below in (place.below(defect), place.below(split, defect)):
            if below is not None:
                yield below
        if place.pictures:
            yield place
    inside = part.below(split)
    for folder in (inside, inside.below(defect) if inside else None):
        for place in folder.folders.values() if folder else ():
            if holds_masks(place):
                yield from filter(None, (place.below(defect), place))


def one_mask(title: str, found: list[tuple[Path, ...]]) -> tuple[Path, ...]:
    """The mask of a sample; empty if it has none.

    Raises:
        DataError: there are several, so the choice is ambiguous.
    """
    files = list(dict.fromkeys(found))
    if len(files) > 1:
        names = [f"{one[0].parent.name}/{one[0].name}" for one in files]
        raise DataError(
            f"{title}: has {len(files)} masks, {few(names)}. Keep one; or, if each marks a part of "
            f"the defect, put all of them into a folder {title.rsplit('/', 1)[-1]}/ there: they "
            "are merged then."
        )
    return files[0] if files else ()


def mask_hint(sample: Sample, used: Collection[Path] = ()) -> str:
    """A sentence on what was found where a sample's mask was expected; empty: nothing.

    Args:
        sample: without a mask.
        used: masks of other samples, which do not count.
    """
    holders = {*used, *(folder for file in used for folder in file.parents)}
    folder = sample.level_files[0].parent
    part = Folder(folder.parent.parent)
    if folder.parent.name not in part.folders:
        return ""
    for place in mask_places(part, folder.parent.name, folder.name):
        unread = [n for n in place.files if sample.name in _owners(stem_of(n)) and not is_read(n)]
        if unread and is_picture(unread[0]):
            suffix = Path(unread[0]).suffix
            return f"{unread[0]} is there, but {suffix} is not supported ({read_suffixes()} are)."
        names = [
            name
            for name in (*filter(is_picture, place.files), *place.folders)
            if name != folder.name and place.path / name not in holders
        ]
        if names:
            near = [name for name in names if sample.name in name]
            near = near or get_close_matches(sample.name, names, n=3, cutoff=0.3) or names
            where = place.path.relative_to(part.path)
            return f"{where} holds {few(near)} ({len(names)} in all)."
    return ""


def _owners(stem: str) -> set[str]:
    """The names that a mask's sample may have."""
    owners = {stem}
    for ending in (_ENDING, LEVEL_NAME):
        owners |= {match["name"] for owner in owners if (match := ending.fullmatch(owner))}
    return owners
