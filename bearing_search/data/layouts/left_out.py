"""Reports files in a data set's folders that are not read, by folder and kind."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from bearing_search.data.files.listing import (
    Folder,
    few,
    is_picture,
    is_read,
    read_suffixes,
    suffix_of,
)
from bearing_search.data.files.mask_files import is_mask_folder, masks_in
from bearing_search.data.layouts.folders import part_folders
from bearing_search.data.remarks import Remark
from bearing_search.data.samples import GOOD, Sample

_SPLITS = ("train", "test")
_KNOWN_PARTS = {
    "MVTec AD": frozenset(
        {
            *("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut"),
            *("pill", "screw", "tile", "toothbrush", "transistor", "wood", "zipper"),
        }
    ),
    "MPDD": frozenset(
        {
            *("bracket_black", "bracket_brown", "bracket_white"),
            *("connector", "metal_plate", "tubes"),
        }
    ),
    "VisA, as for pytorch": frozenset(
        {
            *("candle", "capsules", "cashew", "chewinggum", "fryum", "macaroni1", "macaroni2"),
            *("pcb1", "pcb2", "pcb3", "pcb4", "pipe_fryum"),
        }
    ),
}
"""Public data sets in the native layout, by the names of their parts."""

_NAMED = 5
"""Number of files that a remark names."""


def remarks_on_folders(root: Path, samples: Sequence[Sample]) -> Iterator[Remark]:
    """Remarks on which public set it looks like, and on left-out files by folder and kind.

    In folders of samples and of masks every file counts, elsewhere only images.
    """
    part_names = {sample.part for sample in samples}
    for title, known in _KNOWN_PARTS.items():
        if part_names <= known:
            yield Remark(severity="note", kind="layout", text=f"{title}, which is read directly")
    used = {file for sample in samples for file in sample.files}
    holding = {file.parent for file in used}
    parts = {part.path: part for part in part_folders(Folder(root))}
    spared = {file for part in parts.values() for file in _masks_of_normals(part, samples)}
    for folder in Folder(root).walk():
        counts_all = folder.path in holding or _holds_samples(root, folder.path)
        kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name in (*folder.files, *folder.others):
            path = folder.path / name
            if path in used or path in spared or not (counts_all or is_picture(name)):
                continue
            kinds[_reason(root, path, is_file=name in folder.files)].append(name)
        for (kind, advice), names in kinds.items():
            where = folder.path.relative_to(root).as_posix()
            yield _remark(where, kind, advice, names)


def _remark(where: str, kind: str, advice: str, names: list[str]) -> Remark:
    one = len(names) == 1
    return Remark(
        severity="warning",
        kind="left out",
        part=where.split("/")[0] if where != "." else "",
        text=f"{len(names)} file{'' if one else 's'} of {where} {'is' if one else 'are'} left out "
        f"({kind}): {few(names, _NAMED)}",
        advice=advice,
        files=tuple(names),
    )


def _holds_samples(root: Path, folder: Path) -> bool:
    """Whether a folder is `<part>/<split>/<kind>`, or is inside a folder of masks."""
    inside = folder.relative_to(root).parts
    return (len(inside) == 3 and inside[1] in _SPLITS) or any(map(is_mask_folder, inside[1:]))


def _masks_of_normals(part: Folder, samples: Sequence[Sample]) -> Iterator[Path]:
    """The masks in ground_truth/good, which only the leak check opens."""
    folder = part.below("ground_truth", GOOD)
    if folder is None:
        return
    found = masks_in([folder])
    for sample in samples:
        if sample.part == part.path.name and not sample.is_anomalous:
            yield from (file for mask in found.get(sample.name, ()) for file in mask)


def _reason(root: Path, path: Path, *, is_file: bool) -> tuple[str, str]:
    """Why a file is left out, and what to do."""
    inside = path.relative_to(root).parts[:-1]
    if not is_file:
        return "not regular files", "Remove them"
    if not is_read(path.name):
        suffix = suffix_of(path.name) or "no suffix"
        return suffix, f"Supported are {read_suffixes()}" if is_picture(path.name) else ""
    if any(map(is_mask_folder, inside[1:])):
        return "no such sample", "A mask is named after its sample: <sample>_mask.png"
    if len(inside) > 1 and inside[1] not in _SPLITS:
        near = [name for name in _SPLITS if name == inside[1].lower()]
        return f"not in {near[0]}/" if near else "neither in train/ nor in test/", ""
    if len(inside) == 2:
        return "not in a defect folder", f"Put them into {'/'.join(inside)}/good or <defect>"
    if len(inside) < 2:
        return "not in a part", "Parts hold train/good"
    return "too deep", f"Samples belong in {'/'.join(inside[:3])} itself"
