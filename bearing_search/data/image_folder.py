"""All images below a folder as samples, for inspection rather than training.

`load_data_set` refuses a data set with a flaw; here flawed samples are reported and the others
used, and a plain folder of images is enough.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from bearing_search.data.files.listing import Folder
from bearing_search.data.files.mask_files import Masks, mask_places, masks_in
from bearing_search.data.samples import GOOD, IMAGE_SUFFIXES, Sample, Split, name_and_level
from bearing_search.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFolder:
    """Usable samples, and unusable ones with the reason."""

    samples: tuple[Sample, ...]
    flawed: tuple[tuple[Sample, str], ...]


def find_images(root: Path) -> ImageFolder:
    """Find every image below `root`; levels are grouped by `_b<level>`.

    A path `<part>/<train or test>/<defect>/...` gives part, split and defect as in a data set; any
    other folder is a separate part whose images all count as training samples. Folders named
    ground_truth hold masks.

    Raises:
        DataError: there is no such folder, or no image in it.
    """
    if not root.is_dir():
        raise DataError(f"{root}: not a folder. Name a data set or a folder of images.")
    levels: dict[tuple[Path, str], dict[int, Path]] = defaultdict(dict)
    for file in sorted(root.rglob("*")):
        inside = file.relative_to(root)
        is_picture = file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
        if is_picture and "ground_truth" not in inside.parts and file.is_file():
            name, level = name_and_level(file)
            levels[inside.parent, name].setdefault(level, file)
    if not levels:
        raise DataError(
            f"{root}: no images in it or below it; looked for {', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    masks = {folder: _masks(root, folder) for folder, _ in levels}
    samples = {
        (folder, name): _sample(root, folder, name, files, masks[folder].get(name, []))
        for (folder, name), files in levels.items()
    }
    flawed = {key: reason for key in samples if (reason := _flaw(key, samples, levels))}
    return ImageFolder(
        samples=tuple(sample for key, sample in samples.items() if key not in flawed),
        flawed=tuple((samples[key], reason) for key, reason in flawed.items()),
    )


def _masks(root: Path, folder: Path) -> Masks:
    """The masks of a folder's images, by sample name."""
    match folder.parts:
        case (part, "train" | "test" as split, defect):
            return masks_in(mask_places(Folder(root / part), split, defect))
    return {}


def _sample(
    root: Path, folder: Path, name: str, files: dict[int, Path], masks: list[tuple[Path, ...]]
) -> Sample:
    part, split, defect = "/".join(folder.parts) or root.absolute().name, "train", GOOD
    match folder.parts:
        case (part, "train" | "test" as split, defect):
            pass
    first, *more = masks[0] if len(masks) == 1 else (None,)
    side: Split = "test" if split == "test" else "train"
    return Sample(
        part=part,
        split=side,
        defect=defect,
        name=name,
        group=f"{part}/{split}/{defect}/{name}",
        is_anomalous=defect != GOOD,
        level_files=tuple(files[level] for level in sorted(files)),
        mask_file=first,
        more_mask_files=tuple(file for file in more if file is not None),
    )


def _flaw(
    key: tuple[Path, str],
    samples: dict[tuple[Path, str], Sample],
    levels: dict[tuple[Path, str], dict[int, Path]],
) -> str | None:
    """Why a sample cannot be used (others of its part have a level that it lacks), or None."""
    sample = samples[key]
    wanted = {
        level
        for other, files in levels.items()
        if samples[other].part == sample.part
        for level in files
    }
    missing = sorted(wanted - set(levels[key]))
    if not missing:
        return None
    first = f"{sample.name}_b{missing[0]}"
    return (
        f"{sample.title}: brightness level {missing[0]} is missing ({first} not found next to "
        f"{sample.level_files[0].name}). Add the file, or remove the sample."
    )
