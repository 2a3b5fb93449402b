"""Supported file formats, by suffix and by first bytes; and how a file is opened."""

import stat
from pathlib import Path
from typing import Literal

from bearing_search.errors import DataError

Format = Literal["png", "jpeg", "bmp", "tiff", "webp", "pnm", "jpeg2000", "gif", "unknown"]
"""Format by the first bytes of a file; its suffix may be wrong."""

FORMAT_OF_SUFFIX: dict[str, Format] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".bmp": "bmp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
    ".pgm": "pnm",
    ".ppm": "pnm",
    ".pnm": "pnm",
    ".pbm": "pnm",
    ".jp2": "jpeg2000",
    ".j2k": "jpeg2000",
}
"""Lower-case suffix -> expected format. Only files with these suffixes are read."""

IMAGE_SUFFIXES = frozenset(FORMAT_OF_SUFFIX)

_HEAD_BYTES = 65_536
_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8", "jpeg"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\0\0\0\x0cjP  ", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
    (b"GIF8", "gif"),
)
_SPECIAL = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def format_of(content: bytes) -> Format:
    """Detect the format from the first bytes."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    if content[:1] == b"P" and content[1:2] in b"123456" and content[2:3].isspace():
        return "pnm"
    return next((name for magic, name in _MAGIC if content.startswith(magic)), "unknown")


def refuse_special_file(file: Path) -> None:
    """Refuse anything but a regular file without opening it: reading a FIFO would block forever.

    Raises:
        DataError: it is a folder, FIFO, socket or device, or does not exist.
    """
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    for is_such, name in _SPECIAL:
        if is_such(mode):
            raise DataError(f"{file}: is {name}, not an image file. Move it out of the data set.")


def read_content(file: Path) -> bytes:
    """All bytes of a regular file.

    Raises:
        DataError: it is not a regular file, or cannot be read.
    """
    refuse_special_file(file)
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None


def read_head(file: Path) -> bytes:
    """The first 64 KiB of a regular file, where headers are.

    Raises:
        DataError: it is not a regular file, or cannot be read.
    """
    refuse_special_file(file)
    try:
        with file.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
