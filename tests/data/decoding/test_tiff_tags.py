"""Who decodes a TIFF is decided by its tags alone: nothing here has a pixel."""

import struct

import pytest

from bearing_search.data.decoding.tiff_tags import refuse_by_tags, tiff_pages
from bearing_search.errors import DataError


def header(**tags: int) -> bytes:
    """A directory of 64x64 whose strip lies at the file's very end, and is not there."""
    named = {
        "width": 256,
        "height": 257,
        "bits": 258,
        "compression": 259,
        "photometric": 262,
        "strip": 273,
        "samples": 277,
        "rows": 278,
        "count": 279,
        "planar": 284,
        "extra": 338,
        "format": 339,
    }
    values = {
        **{"width": 64, "height": 64, "bits": 8, "compression": 1, "photometric": 1, "samples": 1},
        **{"strip": 8, "rows": 64, "count": 1},
        **tags,
    }
    entries = sorted((named[name], value) for name, value in values.items())
    packed = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + packed + bytes(4)


@pytest.mark.parametrize(
    ("decoder", "tags"),
    [
        ("opencv", {}),
        ("opencv", {"bits": 16}),
        ("opencv", {"compression": 5}),
        ("opencv", {"photometric": 0}),
        ("opencv", {"photometric": 2, "samples": 3}),
        ("opencv", {"photometric": 2, "samples": 3, "planar": 2}),
        ("tifffile", {"photometric": 2, "samples": 3, "planar": 2, "bits": 16}),
        ("tifffile", {"photometric": 0, "bits": 16}),
        ("tifffile", {"photometric": 0, "bits": 12}),
        ("tifffile", {"samples": 3}),
        ("tifffile", {"samples": 3, "bits": 16}),
        ("tifffile", {"photometric": 2, "samples": 4, "extra": 2}),
        ("opencv", {"photometric": 2, "samples": 4, "extra": 1}),
        ("tifffile", {"compression": 34712}),  # JPEG 2000
        ("tifffile", {"compression": 50002}),  # JPEG XL
        ("tifffile", {"compression": 34933}),  # PNG
        ("tifffile", {"compression": 50000}),  # zstd
    ],
)
def test_what_opencv_gives_wrongly_goes_to_the_other_decoder(decoder, tags):
    (page,) = tiff_pages(header(**tags))
    assert page.decoder == decoder


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({"photometric": 32803}, "raw mosaic. Develop it first"),
        ({"photometric": 34892}, "raw mosaic"),
        ({"format": 3, "bits": 16}, "holds float16 pixels"),
        ({"format": 2, "bits": 16}, "holds int16 pixels"),
        ({"bits": 32}, "holds uint32 pixels"),
        ({"compression": 34676}, "tag 259 is 34676"),
    ],
)
def test_what_nobody_can_turn_into_a_picture_is_refused_by_its_tags(tags, says):
    with pytest.raises(DataError, match=f"^x.tif: .*{says}"):
        refuse_by_tags(tiff_pages(header(**tags)), "x.tif")


def test_a_directory_that_leads_nowhere_is_left_to_the_decoder():
    assert not tiff_pages(b"II*\0" + b"\xff" * 20)
