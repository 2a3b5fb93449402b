"""Pictures as cameras and tools write them: each row makes a file and says what must be read.

Rows named "issue" are those of the issue on truthful input; others were found while building.
"""

import io
import os
import socket
import struct
import zlib

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from bearing_search.data.samples import read_image, read_pages
from bearing_search.errors import DataError

GREY = (np.add.outer(np.arange(32), np.arange(40)) * 3 % 200 + 20).astype(np.uint8)
"""20 to 218; its corners are 20, 137, 113 and 30."""

RGB = np.dstack([GREY, GREY // 2, GREY // 3])
WIDE = GREY.astype(np.uint16)


def one_strip(data: bytes, bits: int, *, photometric=1, compression=1, more=(), pages=1) -> bytes:
    """A grey TIFF of 40x32, one strip a page; `more`: (tag, type, value)."""
    out, at = b"", 8
    for page in range(pages):
        tags = [(256, 4, 40), (257, 4, 32), (258, 3, bits), (259, 3, compression)]
        tags += [(262, 3, photometric), (277, 3, 1), (278, 4, 32), (279, 4, len(data)), *more]
        start = at + 2 + 12 * (len(tags) + 1) + 4
        after = start + len(data) + len(data) % 2
        entries = sorted([*tags, (273, 4, start)])
        out += struct.pack("<H", len(entries))
        out += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
        out += struct.pack("<I", after if page + 1 < pages else 0) + data + bytes(len(data) % 2)
        at = after
    return struct.pack("<2sHI", b"II", 42, 8) + out


def straight_alpha() -> bytes:
    """An RGBA TIFF of 8 bits whose pixels are all transparent (ExtraSamples 2)."""
    tags = [(256, 4, 1, 40), (257, 4, 1, 32), (258, 3, 4, 134), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 142), (277, 3, 1, 4), (278, 4, 1, 32), (279, 4, 1, 5120), (338, 3, 1, 2)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    pixels = np.dstack([RGB, np.zeros_like(GREY)]).tobytes()
    head = struct.pack("<2sHIH", b"II", 42, 8, 10)
    return head + entries + bytes(4) + struct.pack("<4H", 8, 8, 8, 8) + pixels


def without_gaps(pixels) -> bytes:
    """12 bits a pixel, two pixels in three bytes."""
    first, second = pixels[:, ::2].astype(int), pixels[:, 1::2].astype(int)
    packed = [first >> 4, (first & 15) << 4 | second >> 8, second & 255]
    return np.stack(packed, axis=-1).astype(np.uint8).tobytes()


def tiff(pixels, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **{"photometric": "minisblack", **options})
    return buffer.getvalue()


def encoded(suffix: str, pixels, *flags) -> bytes:
    return cv2.imencode(suffix, pixels, list(flags))[1].tobytes()


def exif_block(orientation: int) -> bytes:
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x112, 3, 1, orientation, 0, 0)


def turned_jpeg(orientation: int) -> bytes:
    plain, block = encoded(".jpg", GREY), b"Exif\0\0" + exif_block(orientation)
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(block)) + block + plain[2:]


def pillow(kind: str, pixels, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def turned_by_pillow(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x112] = orientation
    return pillow(kind, GREY if kind == "PNG" else RGB, exif=exif.tobytes(), lossless=True)


def damaged_jpeg() -> bytes:
    """Its second half is zeros: libjpeg warns, and fills the picture up."""
    content = bytearray(encoded(".jpg", np.random.default_rng(0).integers(0, 255, (64, 64))))
    content[len(content) // 2 : -2] = bytes(len(content) - len(content) // 2 - 2)
    return bytes(content)


def animation(kind: str) -> bytes:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def pgm(kind: int, maximum: int, pixels) -> bytes:
    head = f"P{kind}\n# a comment\n40 32\n{maximum}\n".encode()
    if kind == 2:
        return head + " ".join(str(int(one)) for one in pixels.flat).encode()
    return head + pixels.astype(">u2" if maximum > 255 else "u1").tobytes()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_with_sbit(pixels, bits: int) -> bytes:
    content = encoded(".png", pixels)
    return content[:33] + chunk(b"sBIT", bytes([bits])) + content[33:]


READ = {
    # issue: what was right before stays right
    "8 bits PNG": ("a.png", encoded(".png", GREY), None, GREY),
    "8 bits RGB PNG": ("a.png", encoded(".png", RGB[..., ::-1]), None, RGB),
    "grey stored as RGB": ("a.png", encoded(".png", np.dstack([GREY] * 3)), None, GREY),
    "RGBA, alpha dropped": ("a.png", pillow("PNG", np.dstack([RGB, GREY])), None, RGB),
    "all of 16 bits": ("a.png", encoded(".png", WIDE * 257), None, GREY),
    "all of 16 bits, depth known": ("a.png", encoded(".png", WIDE * 257), 16, GREY),
    "8-bit BMP": ("a.bmp", encoded(".bmp", GREY), None, GREY),
    "lossless WebP": ("a.webp", pillow("WEBP", RGB, lossless=True), None, RGB),
    # issue 1: 10, 12 and 14 bits in 16
    "12 bits in 16, of the part": ("a.png", encoded(".png", WIDE * 16), 12, GREY),
    "10 bits in 16, of the part": ("a.png", encoded(".png", WIDE * 4), 10, GREY),
    "14 bits in 16, of the part": ("a.png", encoded(".png", WIDE * 64), 14, GREY),
    "12 bits, its top is white": ("a.png", encoded(".png", WIDE * 0 + 4095), 12, GREY * 0 + 255),
    "12 bits by sBIT": ("a.png", png_with_sbit(WIDE * 16, 12), None, GREY),
    "12 bits by MaxSampleValue": (
        "a.tif",
        one_strip((WIDE * 16).tobytes(), 16, more=((281, 3, 4095),)),
        None,
        GREY,
    ),
    "12 bits by SMaxSampleValue": (
        "a.tif",
        one_strip((WIDE * 16).tobytes(), 16, more=((341, 3, 4095),)),
        None,
        GREY,
    ),
    "12 bits by SignificantBits": (
        "a.tif",
        tiff(WIDE * 16, description='<OME><Pixels SignificantBits="12"/></OME>', metadata=None),
        None,
        GREY,
    ),
    "12 bits by JPEG 2000": (
        "a.jp2",
        imagecodecs.jpeg2k_encode(WIDE * 16, bitspersample=12, reversible=True, codecformat="jp2"),
        None,
        GREY,
    ),
    "12 bits without gaps, scaled by the decoder": (
        "a.tif",
        one_strip(without_gaps(WIDE * 16), 12),
        None,
        WIDE * 256 // 257,
    ),
    "MaxSampleValue of the picture itself says nothing": (
        "a.tif",
        one_strip((WIDE * 257).tobytes(), 16, more=((281, 3, 218 * 257),)),
        None,
        GREY,
    ),
    "8 bits beside 12 bits": ("a.png", encoded(".png", GREY), 12, GREY),
    "all of 16 bits beside 8 bits": ("a.png", encoded(".png", WIDE * 257), 8, GREY),
    # issue 4: orientation, one rule for all formats
    "JPEG turned by 180": ("a.jpg", turned_jpeg(3), None, 30),
    "JPEG turned by a quarter": ("a.jpg", turned_jpeg(6), None, 113),
    "PNG turned by a quarter": ("a.png", turned_by_pillow("PNG", 6), None, np.rot90(GREY, -1)),
    "WebP mirrored": ("a.webp", turned_by_pillow("WEBP", 2), None, RGB[:, ::-1]),
    "TIFF turned by a quarter": (
        "a.tif",
        tiff(GREY, extratags=[(274, "H", 1, 8, True)]),
        None,
        np.rot90(GREY),
    ),
    "TIFF turned, by the other decoder": (
        "a.tif",
        tiff(GREY, compression="zstd", extratags=[(274, "H", 1, 8, True)]),
        None,
        np.rot90(GREY),
    ),
    # issue 6: TIFFs that were black as success, or refused though valid
    **{
        f"{name} in TIFF": ("a.tif", tiff(GREY, compression=name), None, GREY)
        for name in ("zstd", "lzma", "lerc", "png", "deflate", "lzw", "packbits")
    },
    "JPEG 2000 in TIFF": (
        "a.tif",
        tiff(GREY, compression="jpeg2000", compressionargs={"level": 0}),
        None,
        GREY,
    ),
    "16 bits, PNG in TIFF": ("a.tif", tiff(WIDE * 257, compression="png"), None, GREY),
    "PNG in TIFF, by hand": (
        "a.tif",
        one_strip(encoded(".png", GREY), 8, compression=34933),
        None,
        GREY,
    ),
    "small tiles": ("a.tif", tiff(GREY, tile=(16, 16)), None, GREY),
    "4 bits grey": (
        "a.tif",
        one_strip((GREY[:, ::2] // 16 * 16 + GREY[:, 1::2] // 16).tobytes(), 4),
        None,
        GREY // 16 * 17,
    ),
    # issue 7: decided by the tags
    "RGB in planes, 8 bits": (
        "a.tif",
        tiff(np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate"),
        None,
        RGB,
    ),
    "RGB in planes, 16 bits": (
        "a.tif",
        tiff(
            np.moveaxis(RGB.astype(np.uint16) * 257, -1, 0),
            photometric="rgb",
            planarconfig="separate",
        ),
        None,
        RGB,
    ),
    # issue 9
    "straight alpha": ("a.tif", straight_alpha(), None, RGB),
    "MinIsWhite, 8 bits": ("a.tif", one_strip(GREY.tobytes(), 8, photometric=0), None, 255 - GREY),
    "MinIsWhite, 16 bits": (
        "a.tif",
        one_strip((WIDE * 257).tobytes(), 16, photometric=0),
        None,
        255 - GREY,
    ),
    "MinIsWhite, 12 bits in 16": (
        "a.tif",
        one_strip((WIDE * 16).tobytes(), 16, photometric=0),
        12,
        255 - GREY,
    ),
    "three grey samples, 8 bits": ("a.tif", tiff(RGB, planarconfig="contig"), None, RGB),
    "three grey samples, 16 bits": (
        "a.tif",
        tiff(RGB.astype(np.uint16) * 257, planarconfig="contig"),
        None,
        RGB,
    ),
    # issue 8: further suffixes
    "PGM": ("a.pgm", pgm(5, 255, GREY), None, GREY),
    "PGM of maximum 100": ("a.pgm", pgm(5, 100, GREY // 3), None, (GREY // 3) * 255.0 // 100),
    "PGM of 12 bits": ("a.pgm", pgm(5, 4095, WIDE * 16), None, GREY),
    "PGM of 10 bits, plain": ("a.pgm", pgm(2, 1023, WIDE * 4), None, GREY),
    "PGM of 16 bits": ("a.pgm", pgm(5, 65535, WIDE * 257), None, GREY),
    "PGM of maximum 1": ("a.pgm", pgm(5, 1, GREY > 99), None, (GREY > 99) * 255),
    "PPM": ("a.ppm", encoded(".ppm", RGB[..., ::-1]), None, RGB),
    "PNM": ("a.pnm", encoded(".ppm", RGB[..., ::-1]), None, RGB),
    "JPEG 2000": ("a.jp2", pillow("JPEG2000", GREY), None, GREY),
    "a suffix that is wrong": ("a.png", encoded(".bmp", GREY), None, GREY),
}
"""Name -> file, content, depth of the part, pixels (a number: the first pixel alone)."""


@pytest.mark.parametrize("row", READ)
def test_a_picture_is_read_as_it_is_meant(tmp_path, capfd, row):
    name, content, bits, expected = READ[row]
    (tmp_path / name).write_bytes(content)
    pixels = read_image(tmp_path / name, bits)
    assert pixels.dtype == np.uint8
    if isinstance(expected, int):
        assert abs(int(pixels[0, 0]) - expected) <= 2  # JPEG
    else:
        np.testing.assert_array_equal(pixels, expected)
    assert capfd.readouterr().err == ""


REFUSED = {
    # issue
    "three pages": ("a.tif", one_strip(GREY.tobytes(), 8, pages=3), None, "holds 3 pages"),
    "a page and its thumbnail": (
        "a.tif",
        b"",
        None,
        r"holds 2 pages of 40x32, 20x16 \(one is a thumbnail\)",
    ),
    "pages with palettes": (
        "a.tif",
        tiff(
            np.stack([GREY, GREY]),
            photometric="palette",
            colormap=np.zeros((3, 256), np.uint16),
        ),
        None,
        "holds 2 pages with palettes",
    ),
    "an animated PNG": ("a.png", animation("PNG"), None, "is animated"),
    "an animated WebP": ("a.webp", animation("WEBP"), None, "is animated"),
    "a GIF": ("a.png", pillow("GIF", GREY), None, "is a GIF, which is not supported"),
    "a damaged JPEG": ("a.jpg", damaged_jpeg(), None, r"is damaged \(Corrupt JPEG data"),
    "a raw mosaic": (
        "a.tif",
        one_strip(GREY.tobytes(), 8, photometric=32803),
        None,
        "is a raw mosaic. Develop it first",
    ),
    "linear raw": ("a.tif", one_strip(GREY.tobytes(), 8, photometric=34892), None, "a raw mosaic"),
    "float16": ("a.tif", tiff(GREY.astype(np.float16)), None, "holds float16 pixels"),
    "float32": ("a.tif", tiff(GREY.astype(np.float32)), None, "holds float32 pixels"),
    "signed": ("a.tif", tiff(GREY.astype(np.int16)), None, "holds int16 pixels"),
    "32 bits": ("a.tif", tiff(GREY.astype(np.uint32)), None, "holds uint32 pixels"),
    "an unknown compression": (
        "a.tif",
        one_strip(GREY.tobytes(), 8, compression=34676),
        None,
        r"is compressed by \w+ \(tag 259 is 34676\)",
    ),
    "no image": ("a.png", b"text", None, "not a readable image"),
    "nothing": ("a.png", b"", None, "not a readable image"),
    "a broken PNG": ("a.png", b"", None, "not a readable image"),
    "a TIFF cut off": ("a.tif", tiff(GREY)[:-200], None, "a.tif: "),
    "a PGM cut off": ("a.pgm", pgm(5, 255, GREY)[:-9], None, "is truncated"),
    "a PGM above its maximum": ("a.pgm", pgm(5, 100, GREY), None, "above its maximum 100"),
    # a file that does not fit its part
    "more than 12 bits": (
        "a.png",
        encoded(".png", WIDE * 257),
        12,
        r"holds the value 56026, which exceeds 12 bits \(4095\); .* preprocess.bits",
    ),
    "12 bits in a part of 8": (
        "a.png",
        encoded(".png", WIDE * 16),
        8,
        "the training files have 8 bits",
    ),
}


@pytest.mark.parametrize("row", REFUSED)
def test_what_cannot_be_meant_is_refused_by_name_and_prints_nothing(tmp_path, capfd, row):
    name, content, bits, says = REFUSED[row]
    if row == "a page and its thumbnail":
        with tifffile.TiffWriter(tmp_path / name) as writer:
            writer.write(GREY, photometric="minisblack")
            writer.write(GREY[::2, ::2], photometric="minisblack", subfiletype=1)
    elif row == "a broken PNG":
        broken = bytearray(encoded(".png", GREY))
        broken[len(broken) // 2] ^= 0xFF
        (tmp_path / name).write_bytes(broken)
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as error:
        read_image(tmp_path / name, bits)
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_pages_of_one_size_are_read_one_by_one(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff(np.stack([GREY, GREY // 2]), metadata=None))
    first, second = read_pages(tmp_path / "a.tif")
    np.testing.assert_array_equal(first, GREY)
    np.testing.assert_array_equal(second, GREY // 2)


@pytest.mark.parametrize("kind", ["FIFO", "folder", "socket"])
def test_what_is_no_regular_file_is_named_and_not_waited_for(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    file = tmp_path / "a.png"
    match kind:
        case "FIFO":
            os.mkfifo(file)
        case "folder":
            file.mkdir()
        case "socket":
            with socket.socket(socket.AF_UNIX) as opened:
                opened.bind("a.png")
    with pytest.raises(DataError, match=rf"a.png: is a .*{kind}.*, not an image file"):
        read_image(file)


def test_a_compression_that_wants_imagecodecs_says_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / "a.tif").write_bytes(tiff(GREY, compression="zstd"))

    def missing(page):
        raise ValueError("<COMPRESSION.ZSTD: 50000> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", missing)
    says = r"a.tif: its pixels \(zstd, 1 x 8 bits\) need imagecodecs: `pip install"
    with pytest.raises(DataError, match=says):
        read_image(tmp_path / "a.tif")
