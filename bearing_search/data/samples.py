"""Files on disk -> samples: one view of one part at one or more brightness levels, with its mask.

No image is opened before it is requested. Axis letters: h, w rows and columns, c colours.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8

from bearing_search.data.decoding.bit_depth import brightness_of
from bearing_search.data.decoding.decode import decode
from bearing_search.data.decoding.formats import IMAGE_SUFFIXES
from bearing_search.data.decoding.mask_values import MaskValues, mask_values
from bearing_search.data.drawn_defects import DrawnDefect
from bearing_search.data.part_reading import NOTHING_KNOWN, PartReading, num_pages
from bearing_search.errors import DataError

Split = Literal["train", "test"]
__all__ = ["GOOD", "IMAGE_SUFFIXES", "Sample", "Split", "name_and_level", "read_brightness_0"]
__all__ += ["read_image", "read_levels", "read_mask", "read_mask_values", "read_pages"]

GOOD = "good"
"""Name of the folder, and of the defect, of normal samples (as in MVTec AD)."""

LEVEL_NAME = re.compile(r"(?P<name>.+)_b(?P<level>0|[1-9]\d?)")
"""The stem of a file that holds one brightness level of a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One view of one physical part, scored as one unit."""

    part: str
    """LC, SC, OD, or another name used by the data set."""

    split: Split
    """`test` is opened only by `evaluate`."""

    defect: str
    """Kind of defect; `good` for normal samples."""

    name: str
    """Unique within its part and split."""

    group: str
    """The physical object; a split never separates samples of one group."""

    is_anomalous: bool
    """Taken from the data set, never from the mask."""

    level_files: tuple[Path, ...]
    """Brightness 0, 1, 2, ...; in a single file of several pages, each page is a level."""

    mask_file: Path | None = None
    """Pixel mask; None for normal samples and where there is none."""

    more_mask_files: tuple[Path, ...] = ()
    """Further masks of the sample, such as one for each defect; merged with the first."""

    reading: PartReading = NOTHING_KNOWN
    """How its files are read, the same for its whole part; see `readings.with_readings`."""

    drawn: DrawnDefect | None = None
    """A synthetic defect that reading adds to its levels and its mask; None: only what the files
    show."""

    @property
    def title(self) -> str:
        """The sample's name in messages."""
        return f"{self.part}/{self.split}/{self.defect}/{self.name}"

    @property
    def is_unmasked(self) -> bool:
        """Whether it is anomalous, but nothing says where."""
        return self.is_anomalous and not self.mask_files and self.drawn is None

    @property
    def num_levels(self) -> int:
        """Number of brightness levels, counting the pages of a single file where known."""
        return self.reading.num_levels or len(self.level_files)

    def file_of_level(self, level: int) -> Path:
        """The file that holds a brightness level."""
        return self.level_files[min(level, len(self.level_files) - 1)]

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the sample."""
        return (*self.level_files, *self.mask_files)

    @property
    def mask_files(self) -> tuple[Path, ...]:
        """All masks of the sample, to be merged; empty if there are none."""
        return (*([self.mask_file] if self.mask_file else []), *self.more_mask_files)


def name_and_level(file: Path) -> tuple[str, int]:
    """Sample and brightness from a file name: `s1_b2.png` is brightness 2 of s1; 0 by default."""
    match = LEVEL_NAME.fullmatch(file.stem)
    return (match["name"], int(match["level"])) if match else (file.stem, 0)


def read_levels(
    sample: Sample, read: Callable[[Path, int | None], UInt8[np.ndarray, "h w ..."]] | None = None
) -> list[UInt8[np.ndarray, "h w ..."]]:
    """The brightness levels of a sample, brightness 0 first: grey (h w) or, in colour, RGB (h w 3).

    In a sample of one file with several pages, each page is a level.

    Args:
        read: reads brightness 0 instead of `read_image`, as where it may be decoded already.

    Raises:
        DataError: a file cannot be read or does not fit the depth of its part, or the levels differ
            in size or number.
    """
    first, *others = sample.level_files
    bits = sample.reading.bits
    wanted = sample.reading.num_levels
    if not others and wanted != 1 and num_pages(first) > 1:
        levels = read_pages(first, bits)
    else:
        levels = [(read or read_image)(first, bits), *(read_image(file, bits) for file in others)]
    if wanted is not None and len(levels) != wanted:
        raise DataError(
            f"{sample.title}: {first.name} gives {len(levels)} of the {wanted} brightness levels "
            f"of {sample.part}. Save each level as a file x_b0, x_b1, ..., or remove the sample."
        )
    sizes = {level.shape[:2] for level in levels}
    if len(sizes) > 1:
        found = ", ".join(
            f"{file.name} {level.shape[1]}x{level.shape[0]}"
            for file, level in zip(sample.level_files, levels, strict=True)
        )
        raise DataError(
            f"{sample.title}: its brightness levels differ in size ({found}). "
            "They must show the same pixels: export them again at the same size."
        )
    return levels if sample.drawn is None else sample.drawn.on(levels)


def read_brightness_0(sample: Sample) -> UInt8[np.ndarray, "h w *c"]:
    """Only the brightest level of a sample, as `read_levels` returns it.

    Raises:
        DataError: the file cannot be read, or does not fit the depth of its part.
    """
    if sample.drawn is not None:
        return read_levels(sample)[0]
    return read_pages(sample.level_files[0], sample.reading.bits)[0]


def read_image(file: Path, bits: int | None = None) -> UInt8[np.ndarray, "h w *c"]:
    """Decode an image of 8 or 16 bits, upright, into [0, 255]: grey (h w) or RGB (h w 3).

    16-bit values are scaled by 1/257; with fewer bits in 16, the 8 most significant are kept.

    Args:
        bits: depth of the part that the file belongs to; None: as the file states, else all 16.

    Raises:
        DataError: the file is missing, not an image, or damaged, holds several pages, or does not
            fit the depth.
    """
    pages = read_pages(file, bits)
    if len(pages) > 1:
        raise DataError(
            f"{file}: holds {len(pages)} pages. Pages are read as brightness levels where each "
            "sample of a part is one file; save them as files x_b0, x_b1, ..."
        )
    return pages[0]


def read_pages(file: Path, bits: int | None = None) -> list[UInt8[np.ndarray, "h w *c"]]:
    """Like `read_image`, for every page of a file.

    Raises:
        DataError: as for `read_image`, but several pages are allowed.
    """
    return [brightness_of(page, bits, name=str(file)) for page in decode(file)]


def read_mask(sample: Sample, shape: Sequence[int]) -> Bool[np.ndarray, "h w"]:
    """Ground truth of a sample, the union of its masks and of a drawn defect, if it has any.

    Args:
        shape: height and width of the sample's images.

    Raises:
        DataError: a mask cannot be read, has another size, or has values that no mask has.
    """
    marked = np.zeros(tuple(shape), dtype=bool)
    if sample.drawn is not None:
        marked |= sample.drawn.mask(shape)
    for mask in read_mask_values(sample, shape):
        marked |= mask.marked
    return marked


def read_mask_values(sample: Sample, shape: Sequence[int]) -> list[MaskValues]:
    """Each mask of a sample, with the interpretation of its values.

    Raises:
        DataError: as for `read_mask`.
    """
    return [_mask(sample, file, tuple(shape)) for file in sample.mask_files]


def _mask(sample: Sample, file: Path, shape: tuple[int, ...]) -> MaskValues:
    name = f"{sample.title}: mask {file.name}"
    pages = decode(file, indices=True)
    if len(pages) > 1:
        raise DataError(f"{name} holds {len(pages)} pages; a mask has one. Save it alone, as PNG.")
    found = pages[0].pixels.shape[:2]
    if found != shape:
        is_turned = found == shape[::-1]
        hint = (
            "It is rotated by 90 degrees: orientation tags are applied, so save image and mask "
            "without them"
            if is_turned
            else "Draw the mask on the image itself, at its size"
        )
        raise DataError(
            f"{name} is {found[1]}x{found[0]}, but its images are {shape[1]}x{shape[0]}. {hint}."
        )
    return mask_values(pages[0], name, void_value=sample.reading.void_value)
