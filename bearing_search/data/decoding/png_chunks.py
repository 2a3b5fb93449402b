"""Reads the header chunks of a PNG: depth, colour type, significant bits, transparency."""

from collections.abc import Iterator
from dataclasses import dataclass

PALETTE = 3
"""Colour type of a PNG whose pixels are indices."""

GREY = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PngHeader:
    """Facts about a PNG that its pixels do not reveal."""

    bits: int
    """Per sample: 1, 2, 4, 8 or 16."""

    colour_type: int
    significant_bits: int | None
    """The largest value in sBIT; None: it has none."""

    transparent_grey: int | None
    """The one transparent grey (tRNS of a grey image); None: there is none."""

    frames: int
    """More than 1: animated (APNG)."""

    exif: bytes
    """Content of eXIf; empty if it has none."""


def png_header(content: bytes) -> PngHeader:
    """Read the chunks as far as `content` goes; it may be only the beginning of a file."""
    bits, colour_type, frames, exif = 8, GREY, 1, b""
    significant: int | None = None
    grey: int | None = None
    for name, data in _chunks(content):
        match name:
            case b"IHDR" if len(data) >= 10:
                bits, colour_type = data[8], data[9]
            case b"sBIT" if data:
                significant = max(data)
            case b"tRNS" if colour_type == GREY and len(data) == 2:
                grey = int.from_bytes(data, "big")
            case b"acTL" if len(data) >= 4:
                frames = int.from_bytes(data[:4], "big")
            case b"eXIf":
                exif = data
    return PngHeader(
        bits=bits,
        colour_type=colour_type,
        significant_bits=significant,
        transparent_grey=grey,
        frames=frames,
        exif=exif,
    )


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and data of each chunk except pixel data (layout: length, name, data, checksum)."""
    at = 8
    while at + 12 <= len(content):
        length, name = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        if name != b"IDAT":
            yield name, content[at + 8 : at + 8 + length]
        at += 12 + length
