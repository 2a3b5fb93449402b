"""Reads the tags of a TIFF and chooses its decoder, before any pixel is touched.

OpenCV decodes plain TIFFs. It refuses some, and gets others wrong without an error: images in JPEG
2000, JPEG XL or PNG compression are black, 16-bit colours in planes are mixed up, 16-bit MinIsWhite
is not inverted, straight alpha is multiplied into the colours, and of three grey samples only one
is left. tifffile decodes those; raw mosaics are refused.
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bearing_search.errors import DataError

Decoder = Literal["opencv", "tifffile"]

_BY_OPENCV = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946})
"""Compressions that OpenCV's libtiff decodes: none, CCITT, LZW, JPEG, deflate, PackBits."""

_BY_TIFFFILE = frozenset({34712, 33003, 33005, 34887, 34925, 34933, 50000, 50001, 50002, 50013})
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _CFA, _LINEAR_RAW = 0, 1, 2, 3, 32803, 34892
_STRAIGHT_ALPHA = 2
_ALPHA = (1, _STRAIGHT_ALPHA)
_KINDS = {1: "uint", 2: "int", 3: "float", 4: "uint", 5: "complex int", 6: "complex float"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TiffTags:
    """Tags of one page."""

    width: int
    height: int
    bits: int
    """Per sample, as stored: 1 to 64."""

    samples: int
    """Per pixel, alpha included."""

    compression: int
    compression_name: str
    photometric: int
    in_planes: bool
    """Colours are stored one plane after the other (PlanarConfiguration 2)."""

    sample_format: int
    """1 unsigned, 2 signed, 3 floating point."""

    extra_samples: tuple[int, ...]
    """Meaning of the samples beyond the colours; 2: straight alpha."""

    orientation: int
    is_reduced: bool
    """A smaller copy of another page (NewSubfileType)."""

    stated_bits: int | None
    """Significant bits according to MaxSampleValue, SMaxSampleValue or OME's metadata."""

    @property
    def decoder(self) -> Decoder:
        """The decoder that interprets these tags correctly."""
        wrong_in_opencv = (
            self.compression not in _BY_OPENCV
            or (self.in_planes and self.samples > 1 and self.bits != 8)
            or (self.photometric == _MIN_IS_WHITE and self.bits > 8)
            or (self.photometric in (_MIN_IS_WHITE, _MIN_IS_BLACK) and self.samples > 1)
            or (_STRAIGHT_ALPHA in self.extra_samples and self.photometric in (0, 1, _RGB))
        )
        return "tifffile" if wrong_in_opencv else "opencv"

    @property
    def colours(self) -> int:
        """Samples per pixel that are brightness; grey without alpha counts extra ones too."""
        has_alpha = any(meaning in _ALPHA for meaning in self.extra_samples)
        if self.photometric in (_MIN_IS_WHITE, _MIN_IS_BLACK) and not has_alpha:
            return self.samples
        return self.samples - len(self.extra_samples)

    @property
    def alpha(self) -> int | None:
        """Index of the opacity sample; None: there is none."""
        found = [at for at, meaning in enumerate(self.extra_samples) if meaning in _ALPHA]
        return self.samples - len(self.extra_samples) + found[0] if found else None

    @property
    def is_inverted(self) -> bool:
        """The largest value is black."""
        return self.photometric == _MIN_IS_WHITE

    @property
    def is_palette(self) -> bool:
        """Pixels are indices into a table of colours."""
        return self.photometric == _PALETTE

    @property
    def is_packed(self) -> bool:
        """9 to 15 bits without gaps; OpenCV scales them to the full 16."""
        return 8 < self.bits < 16


def tiff_pages(source: bytes | Path) -> tuple[TiffTags, ...] | None:
    """Tags of every page of a TIFF; None if its directories are damaged."""
    from tifffile import TiffFile  # takes .1 s, which only TIFFs need

    try:
        with TiffFile(io.BytesIO(source) if isinstance(source, bytes) else source) as tiff:
            return tuple(_tags_of(page) for page in tiff.pages)
    except Exception:  # tifffile raises many kinds on broken directories; the decoder will refuse
        return None


def refuse_by_tags(pages: tuple[TiffTags, ...], name: str) -> None:
    """Refuse TIFFs that no decoder supports, before decoding.

    Args:
        name: the file's name in messages.

    Raises:
        DataError: a raw mosaic, pixels that are not unsigned integers of 1 to 16 bits, an unknown
            compression, or pages of different size.
    """
    first = pages[0]
    if first.photometric in (_CFA, _LINEAR_RAW):
        raise DataError(f"{name}: is a raw mosaic. Develop it first, and save it as PNG or TIFF.")
    kind = _KINDS.get(first.sample_format, "unknown")
    if kind != "uint" or not 1 <= first.bits <= 16:
        raise DataError(
            f"{name}: holds {kind}{first.bits} pixels; images of 8 or 16 bits are supported."
        )
    if first.compression not in _BY_OPENCV | _BY_TIFFFILE:
        raise DataError(
            f"{name}: is compressed by {first.compression_name} (tag 259 is {first.compression}), "
            "which is not supported. Save it without compression, or as PNG."
        )
    sizes = [(page.width, page.height) for page in pages]
    if len(set(sizes)) > 1 or any(page.is_reduced for page in pages[1:]):
        told = ", ".join(f"{width}x{height}" for width, height in sizes[:4])
        small = " (one is a thumbnail)" if len(set(sizes)) > 1 else " (a reduced copy)"
        raise DataError(f"{name}: holds {len(pages)} pages of {told}{small}. Save the image alone.")


def _tags_of(page: Any) -> TiffTags:
    tags = page.tags
    bits = page.bitspersample
    found = tags.get(254)
    description = page.description if isinstance(page.description, str) else ""
    extra = tuple(int(one) for one in page.extrasamples)
    return TiffTags(
        width=int(page.imagewidth),
        height=int(page.imagelength),
        bits=int(max(bits) if isinstance(bits, tuple) else bits),
        samples=int(page.samplesperpixel),
        compression=int(page.compression),
        compression_name=str(getattr(page.compression, "name", "an unknown method")),
        photometric=int(page.photometric),
        in_planes=int(page.planarconfig or 1) == 2,
        sample_format=int(page.sampleformat or 1),
        extra_samples=extra,
        orientation=_number(tags.get(274), 1),
        is_reduced=bool(found is not None and int(found.value) & 1),
        stated_bits=_stated(
            (_number(tags.get(281), 0), _number(tags.get(341), 0)),
            _significant_bits(description),
        ),
    )


def _number(tag: Any, default: int) -> int:
    if tag is None:
        return default
    value = tag.value
    if isinstance(value, tuple):
        value = max(value)
    return int(value) if isinstance(value, int | float) else default


def _significant_bits(description: str) -> int:
    """OME-XML's SignificantBits; 0 if not given."""
    match = re.search(r'SignificantBits="(\d+)"', description)
    return int(match[1]) if match else 0


def _stated(largest: tuple[int, ...], significant: int) -> int | None:
    """The stated depth; a maximum counts only if it is 2^n - 1: some writers store the image's."""
    tops = [value.bit_length() for value in largest if value > 255 and value & (value + 1) == 0]
    return next((bits for bits in (significant, *tops) if 8 < bits < 16), None)
