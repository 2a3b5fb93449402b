"""Files on disk -> samples: one view of one part at one to three brightness levels, with its mask.

Nothing here opens an image before it is asked for. Axis letters: h, w rows and columns, c colours.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, UInt8, UInt16

from bearing_search.data.truncation import is_truncated
from bearing_search.errors import DataError

Split = Literal["train", "test"]
GOOD = "good"
"""Name of the folder, and of the defect, of normal samples (as in MVTec AD)."""

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})

_LEVEL = re.compile(r"(?P<name>.+)_b(?P<level>\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One view of one physical part: what is scored as one unit."""

    part: str
    """LC, SC, OD, or whatever the data set calls it."""

    split: Split
    """`test` is opened by `evaluate` alone."""

    defect: str
    """Kind of defect; `good` for normal samples."""

    name: str
    """Unique within its part and split."""

    group: str
    """The physical thing; samples of one group never part company in a split."""

    is_anomalous: bool
    """Comes from the data set, never from the mask."""

    level_files: tuple[Path, ...]
    """Brightness 0, 1, 2; one or two levels are allowed."""

    mask_file: Path | None = None
    """Pixel mask; None for normal samples and where nobody drew one."""

    more_mask_files: tuple[Path, ...] = ()
    """Further masks of the sample, such as one for each defect; they are united with the first."""

    @property
    def title(self) -> str:
        """How messages call the sample."""
        return f"{self.part}/{self.split}/{self.defect}/{self.name}"

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the sample."""
        return (*self.level_files, *self.mask_files)

    @property
    def mask_files(self) -> tuple[Path, ...]:
        """All masks of the sample, which are united; empty where there is none."""
        return (*([self.mask_file] if self.mask_file else []), *self.more_mask_files)


def name_and_level(file: Path) -> tuple[str, int]:
    """Sample and brightness that a file name says: `s1_b2.png` is brightness 2 of s1; 0 if none."""
    match = _LEVEL.fullmatch(file.stem)
    return (match["name"], int(match["level"])) if match else (file.stem, 0)


def read_levels(
    sample: Sample, read: Callable[[Path], UInt8[np.ndarray, "h w ..."]] | None = None
) -> list[UInt8[np.ndarray, "h w ..."]]:
    """The brightness levels of a sample, brightness 0 first: grey (h w) or, in colour, RGB (h w 3).

    Args:
        read: how brightness 0 is read, where somebody has it decoded already.

    Raises:
        DataError: a file cannot be read, or the levels differ in size.
    """
    first, *others = sample.level_files
    levels = [(read or read_image)(first), *map(read_image, others)]
    sizes = {level.shape[:2] for level in levels}
    if len(sizes) > 1:
        found = ", ".join(
            f"{file.name} {level.shape[1]}x{level.shape[0]}"
            for file, level in zip(sample.level_files, levels, strict=True)
        )
        raise DataError(
            f"{sample.title}: its brightness levels differ in size ({found}). "
            "They must show the same pixels: export them again at one size."
        )
    return levels


def read_image(file: Path) -> UInt8[np.ndarray, "h w *c"]:
    """Decode an image of 8 or 16 bits; 16 bits are scaled by 1/257 to the full range of 8.

    Raises:
        DataError: the file is missing, is no image, or is cut off.
    """
    pixels = _decode(file)
    if pixels.dtype == np.uint16:
        pixels = (pixels // 257).astype(np.uint8)
    if pixels.ndim == 3:
        colours = pixels[..., :3]  # an alpha channel carries no brightness
        is_grey = (colours == colours[..., :1]).all()
        pixels = colours[..., 0] if is_grey else colours[..., ::-1]
    return np.ascontiguousarray(pixels)


def read_mask(sample: Sample, shape: Sequence[int]) -> Bool[np.ndarray, "h w"]:
    """Ground truth of a sample, its masks united; without a mask file nothing is marked.

    Args:
        shape: height and width of the sample's images.

    Raises:
        DataError: the mask cannot be read or is of another size.
    """
    height, width = shape
    marked = np.zeros((height, width), dtype=bool)
    for file in sample.mask_files:
        pixels = _decode(file)
        if pixels.ndim == 3:
            pixels = pixels[..., :3].max(axis=2)
        if pixels.shape != (height, width):
            raise DataError(
                f"{sample.title}: mask {file.name} is "
                f"{pixels.shape[1]}x{pixels.shape[0]}, its images are {width}x{height}. "
                "Draw the mask on the image itself, at its size."
            )
        marked |= pixels > 0
    return marked


def _decode(file: Path) -> UInt8[np.ndarray, "h w *c"] | UInt16[np.ndarray, "h w *c"]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    if is_truncated(content):
        raise DataError(
            f"{file}: is cut off after {len(content)} bytes. Copy it again, or remove the sample."
        )
    encoded = np.frombuffer(content, dtype=np.uint8)
    try:
        pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise DataError(f"{file}: is no readable image. Replace the file, or remove the sample.")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"{file}: holds {pixels.dtype} pixels; images of 8 or 16 bits are understood."
        )
    decoded: UInt8[np.ndarray, "h w *c"] | UInt16[np.ndarray, "h w *c"] = pixels
    return decoded
