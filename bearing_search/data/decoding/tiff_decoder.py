"""Decodes TIFFs by tifffile: those that OpenCV cannot decode or gets wrong, and multi-page ones.

Axis letters: h, w rows and columns; c colours.
"""

import io
import logging

import numpy as np

from bearing_search.data.decoding.picture import Picture
from bearing_search.data.decoding.tiff_tags import TiffTags
from bearing_search.errors import DataError

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what matters is raised
logging.getLogger("tifffile").propagate = False


def decode_tiff(content: bytes, pages: tuple[TiffTags, ...], name: str) -> tuple[Picture, ...]:
    """Decode every page, upright; MinIsWhite is not undone.

    Args:
        pages: their tags.
        name: the file's name in messages.

    Raises:
        DataError: a page cannot be decoded, or imagecodecs is needed and not installed.
    """
    from tifffile import TiffFile  # takes .1 s, which only TIFFs need

    found = []
    try:
        with TiffFile(io.BytesIO(content)) as tiff:
            for page, tags in zip(tiff.pages, pages, strict=True):
                found.append(_picture(page.asarray(), tags, name))
    except DataError:
        raise
    except Exception as error:  # tifffile and its codecs raise many kinds on broken pixels
        raise DataError(_why(error, pages[0], name)) from None
    return tuple(found)


def _picture(pixels: np.ndarray, tags: TiffTags, name: str) -> Picture:
    if pixels.dtype not in (np.uint8, np.uint16, np.bool_):
        raise DataError(
            f"{name}: holds {pixels.dtype} pixels; images of 8 or 16 bits are supported."
        )
    pixels = pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels
    pixels = _interleaved(pixels, tags)
    alpha = None if tags.alpha is None else pixels[..., tags.alpha]
    if pixels.ndim == 3:
        pixels = pixels[..., :3] if tags.colours >= 3 else pixels[..., 0]
    if tags.bits < 8 and not tags.is_palette:
        pixels = (pixels.astype(np.uint16) * 255 // (2**tags.bits - 1)).astype(np.uint8)
    picture = Picture(
        pixels=pixels,
        alpha=alpha,
        stated_bits=tags.bits if tags.is_packed else tags.stated_bits,
        is_inverted=tags.is_inverted,
    )
    return picture.upright(tags.orientation)


def _interleaved(pixels: np.ndarray, tags: TiffTags) -> np.ndarray:
    """Grey (h w), or samples last (h w c); tifffile returns planes first."""
    size = (tags.height, tags.width)
    if tags.samples == 1:
        return pixels.reshape(size)
    if tags.in_planes:
        return np.moveaxis(pixels.reshape(tags.samples, *size), 0, -1)
    return pixels.reshape(*size, tags.samples)


def _why(error: Exception, tags: TiffTags, name: str) -> str:
    what = f"its pixels ({tags.compression_name.lower()}, {tags.samples} x {tags.bits} bits)"
    if "imagecodecs" in str(error):
        return (
            f"{name}: {what} need imagecodecs: `pip install 'bearing_search[codecs]'`, or save it "
            "without compression."
        )
    return f"{name}: {what} cannot be decoded. Replace the file, or remove the sample."
