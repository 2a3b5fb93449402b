"""One file -> its pages: chooses the decoder by format, and refuses files by their headers.

Axis letters: h, w rows and columns; c colours.
"""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from bearing_search.data.decoding.decoder_noise import captured_decoder_lines
from bearing_search.data.decoding.formats import Format, format_of, read_content
from bearing_search.data.decoding.orientation import orientation_of
from bearing_search.data.decoding.picture import Picture, from_opencv
from bearing_search.data.decoding.png_chunks import GREY, PALETTE, png_header
from bearing_search.data.decoding.pnm import decode_pnm
from bearing_search.data.decoding.tiff_decoder import decode_tiff
from bearing_search.data.decoding.tiff_tags import refuse_by_tags, tiff_pages
from bearing_search.data.decoding.truncation import is_truncated
from bearing_search.errors import DataError

_UNREADABLE = "not a readable image. Replace the file, or remove the sample."
_ANIMATED_WEBP = 0x02


def decode(file: Path, *, indices: bool = False) -> tuple[Picture, ...]:
    """Decode every page of a file, upright, with values as stored.

    Args:
        indices: return a palette image's indices instead of its colours.

    Raises:
        DataError: the file is missing, not a regular file, not an image, truncated, damaged,
            animated, or of an unsupported kind; the message names file and reason.
    """
    content = read_content(file)
    name = str(file)
    if is_truncated(content):
        raise DataError(
            f"{name}: is truncated after {len(content)} bytes. Copy it again, or remove the sample."
        )
    kind = format_of(content)
    match kind:
        case "pnm":
            pixels, bits = decode_pnm(content, name)
            return (Picture(pixels=pixels, stated_bits=bits),)
        case "tiff":
            return _tiff(content, name, indices=indices)
        case "gif":
            raise DataError(f"{name}: is a GIF, which is not supported. Save it as PNG.")
    _refuse_animation(content, kind, name)
    picture = _indexed(content, kind, name) if indices else None
    if picture is None:
        picture = _with_header(_by_opencv(content, kind, name), content, kind)
    return (picture.upright(orientation_of(content, kind)),)


def is_lossy(content: bytes, kind: Format) -> bool:
    """Whether the format's compression is lossy: JPEG, and WebP that is not lossless."""
    return kind == "jpeg" or (kind == "webp" and b"VP8L" not in content[:4096])


def jpeg2000_bits(content: bytes) -> int | None:
    """Depth that a JPEG 2000 states (SIZ) if it is 9 to 16, else None."""
    at = content.find(b"\xff\x4f\xff\x51")
    if at < 0 or len(content) <= at + 42:
        return None
    bits = (content[at + 42] & 0x7F) + 1
    return bits if 8 < bits <= 16 else None


def _by_opencv(content: bytes, kind: Format, name: str) -> Picture:
    encoded = np.frombuffer(content, dtype=np.uint8)
    with captured_decoder_lines() as printed:
        try:
            pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
        except cv2.error:
            pixels = None
    if kind == "jpeg" and printed.jpeg_damage:
        raise DataError(
            f"{name}: is damaged ({printed.jpeg_damage}). Copy it again, or remove the sample."
        )
    if pixels is None:
        raise DataError(f"{name}: {_UNREADABLE}")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"{name}: holds {pixels.dtype} pixels; images of 8 or 16 bits are supported."
        )
    return from_opencv(pixels)


def _with_header(picture: Picture, content: bytes, kind: Format) -> Picture:
    """Add what OpenCV leaves out: stated depth, a transparent grey, whether it is lossy."""
    if kind == "jpeg2000":
        return replace(picture, stated_bits=jpeg2000_bits(content))
    if kind != "png":
        return replace(picture, is_lossy=is_lossy(content, kind))
    header = png_header(content)
    if header.bits == 16 and header.significant_bits is not None:
        stated = header.significant_bits
        picture = replace(picture, stated_bits=stated if 8 < stated < 16 else None)
    grey = header.transparent_grey
    if header.colour_type == GREY and grey is not None and picture.pixels.ndim == 2:
        scale = 255 // (2**header.bits - 1) if header.bits < 8 else 1
        alpha = np.where(picture.pixels == grey * scale, 0, 255).astype(np.uint8)
        picture = replace(picture, alpha=alpha)
    return picture


def _tiff(content: bytes, name: str, *, indices: bool) -> tuple[Picture, ...]:
    pages = tiff_pages(content)
    if not pages:
        return (_by_opencv(content, "tiff", name),)
    refuse_by_tags(pages, name)
    first = pages[0]
    if indices and first.is_palette:
        return decode_tiff(content, pages, name)
    if first.is_palette and len(pages) > 1:
        raise DataError(f"{name}: holds {len(pages)} pages with palettes. Save them as grey.")
    if len(pages) > 1 or first.decoder == "tifffile":
        return decode_tiff(content, pages, name)
    try:
        picture = _by_opencv(content, "tiff", name)
    except DataError:  # small tiles, 2 and 4 bits
        if first.is_palette:
            raise
        return decode_tiff(content, pages, name)
    return (replace(picture, stated_bits=16 if first.is_packed else first.stated_bits),)


def _refuse_animation(content: bytes, kind: Format, name: str) -> None:
    is_animated = (kind == "png" and png_header(content).frames > 1) or (
        kind == "webp" and content[12:16] == b"VP8X" and bool(content[20] & _ANIMATED_WEBP)
    )
    if is_animated:
        raise DataError(f"{name}: is animated. Save the frame that you want as a single image.")


def _indexed(content: bytes, kind: Format, name: str) -> Picture | None:
    """A PNG or BMP with a palette as indices, with alpha if entries are transparent; else None.

    A BMP whose palette is all greys is a grey image: BMP has no other way to store one.
    """
    has_palette = (kind == "png" and png_header(content).colour_type == PALETTE) or (
        kind == "bmp" and 1 <= int.from_bytes(content[28:30], "little") <= 8
    )
    if not has_palette:
        return None
    try:
        with Image.open(io.BytesIO(content)) as opened:
            if opened.mode != "P":
                return None
            indices = np.array(opened)
            transparency = opened.info.get("transparency")
            colours = np.array(opened.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    except Exception:  # Pillow raises many kinds on broken files
        raise DataError(f"{name}: {_UNREADABLE}") from None
    if kind == "bmp" and (colours == colours[:, :1]).all():
        return None
    return Picture(pixels=indices, alpha=_palette_alpha(indices, transparency))


def _palette_alpha(indices: np.ndarray, transparency: object) -> np.ndarray | None:
    table = np.full(256, 255, np.uint8)
    if isinstance(transparency, bytes):
        table[: len(transparency)] = np.frombuffer(transparency, np.uint8)[:256]
    elif isinstance(transparency, int):
        table[transparency] = 0
    else:
        return None
    alpha: UInt8[np.ndarray, "h w"] = table[indices]
    return alpha
