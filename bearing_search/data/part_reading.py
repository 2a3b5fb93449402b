"""How the files of a part are read: found once, from the headers of training files if possible.

Only 16-bit files need their pixels read, for the largest value; the result is cached by the file's
content.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bearing_search.data.decoding.bit_depth import FileDepth, PartDepth, depth_of, depth_of_part
from bearing_search.data.decoding.decode import decode, jpeg2000_bits
from bearing_search.data.decoding.formats import format_of, read_head, refuse_special_file
from bearing_search.data.decoding.png_chunks import png_header
from bearing_search.data.decoding.pnm import pnm_maximum
from bearing_search.data.decoding.tiff_tags import tiff_pages
from bearing_search.errors import DataError
from bearing_search.filesystem.atomic import write_atomically
from bearing_search.filesystem.digest import sha256_of_file, sha256_of_text

VERSION = 1
"""Incremented when a different depth is found for the same files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReading:
    """What all files of a part have in common. None: not known, so nothing is required."""

    bits: int | None = None
    """Bit depth of its images: 8, or the number of bits used of 16."""

    num_levels: int | None = None
    """Brightness levels of each sample, pages included."""

    void_value: int | None = None
    """Value in masks that means neither normal nor anomalous; counts as unmarked."""


NOTHING_KNOWN = PartReading()


def reading_of_part(
    part: str, samples: Sequence[Sequence[Path]], *, bits: int | None = None, cache: Path | None
) -> tuple[PartReading, PartDepth]:
    """What the training files of a part have in common.

    Args:
        samples: brightness files of each training sample.
        bits: the part's depth if it is known; then no pixel is read.
        cache: folder that caches the depth of each file; None: no cache.

    Raises:
        DataError: a file cannot be read, or the samples differ in their number of levels.
    """
    if bits is None:
        depth = depth_of_part([_depth(file, cache) for files in samples for file in files])
    else:
        depth = PartDepth(bits=bits, why="as set")
    levels = _num_levels(part, samples)
    return PartReading(bits=depth.bits, num_levels=levels), depth


def num_pages(file: Path) -> int:
    """Number of pages in a file; 1 unless it is a TIFF.

    Raises:
        DataError: it is not a regular file, or cannot be read.
    """
    refuse_special_file(file)
    if format_of(read_head(file)[:16]) != "tiff":
        return 1
    return len(tiff_pages(file) or (None,))


def _num_levels(part: str, samples: Iterable[Sequence[Path]]) -> int | None:
    """Number of levels of every sample; the pages of a file are levels if a sample has one file."""
    first: tuple[int, Path] | None = None
    for files in samples:
        number = num_pages(files[0]) if len(files) == 1 else len(files)
        if first is None:
            first = (number, files[0])
        if number != first[0]:
            raise DataError(
                f"{files[0]}: gives {number} brightness level{'s' * (number != 1)}, "
                f"{first[1].name} gives {first[0]}; all samples of {part} need the same number. "
                "Save the pages as files x_b0, x_b1, ..., or only the page that you want."
            )
    return first[0] if first else None


def _depth(file: Path, cache: Path | None) -> FileDepth:
    if _container(file) == 8:
        return FileDepth(container=8)
    if cache is None:
        return _measured(file)
    name = sha256_of_text(json.dumps(["bit depth", VERSION, sha256_of_file(file)]))[:32]
    entry = cache / name[:2] / f"{name}.json"
    try:
        return FileDepth(**json.loads(entry.read_text()))
    except (OSError, ValueError, TypeError):
        found = _measured(file)
    entry.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(entry, json.dumps(asdict(found)).encode())
    return found


def _measured(file: Path) -> FileDepth:
    """Measure all pages of a file together."""
    pages = [depth_of(page) for page in decode(file)]
    used = 0
    for page in pages:
        used |= page.used
    return FileDepth(
        container=max(page.container for page in pages),
        stated=pages[0].stated,
        peak=max(page.peak for page in pages),
        used=used,
        is_8_bit_scaled=all(page.is_8_bit_scaled for page in pages),
    )


def _container(file: Path) -> int:
    """8 if a file's header states at most 8 bits per value, else 16."""
    head = read_head(file)
    match format_of(head):
        case "png":
            return 16 if png_header(head).bits == 16 else 8
        case "tiff":
            pages = tiff_pages(file)
            return 8 if pages and all(page.bits <= 8 for page in pages) else 16
        case "pnm":
            return 16 if pnm_maximum(head) > 255 else 8
        case "jpeg2000":
            return 16 if jpeg2000_bits(head) else 8
    return 8  # JPEG, BMP and WebP; a file that is not an image is reported when decoded
