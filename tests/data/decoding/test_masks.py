"""Masks as labelling tools write them: what each marks, and by which rule; or why it is refused.

Rows named "issue" are those of the issue on truthful input; others were found while building.
"""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from bearing_search.data.part_reading import PartReading
from bearing_search.data.samples import Sample, read_mask, read_mask_values
from bearing_search.errors import DataError

GREY = (np.add.outer(np.arange(32), np.arange(40)) * 3 % 200 + 20).astype(np.uint8)
DENT = np.zeros((32, 40), bool)
DENT[10:15, 12:18] = True
SECOND = np.zeros((32, 40), bool)
SECOND[20:26, 28:36] = True
MARKS = DENT.astype(np.uint8) * 255
IDS = np.where(DENT, 1, np.where(SECOND, 2, 0)).astype(np.uint8)


def encoded(suffix: str, pixels, *flags) -> bytes:
    kept = pixels if pixels.dtype == np.uint16 else pixels.astype(np.uint8)
    return cv2.imencode(suffix, kept, list(flags))[1].tobytes()


def palette(indices, colours, **options) -> bytes:
    image = Image.fromarray(indices)
    image.putpalette([number for colour in colours for number in colour])
    buffer = io.BytesIO()
    image.save(buffer, options.pop("kind", "PNG"), **options)
    return buffer.getvalue()


def tiff(pixels, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def pillow(kind: str, pixels, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(quality: int) -> bytes:
    return encoded(".jpg", MARKS, cv2.IMWRITE_JPEG_QUALITY, quality)


def reopened(content: bytes) -> bytes:
    """The same pixels saved without loss, as by a tool that opened the file."""
    return encoded(".png", cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE))


def opaque(colours, alpha) -> bytes:
    return pillow("PNG", np.dstack([colours, colours, colours, alpha]).astype(np.uint8))


def polygon() -> np.ndarray:
    """Drawn with soft edges, as annotation tools do."""
    drawn = np.zeros((32, 40), np.uint8)
    corners = np.array([[8, 6], [30, 9], [25, 24], [11, 20]])
    cv2.fillPoly(drawn, [corners], 255, lineType=cv2.LINE_AA)
    return drawn


LINES = np.zeros((32, 40), np.uint8)
LINES[::2, 3:30] = 7 * np.arange(1, 17)[:, None]

VOC = [(0, 0, 0), (128, 0, 0), (0, 128, 0), *[(9, 9, 9)] * 252, (224, 224, 192)]

READ = {
    # issue: above 0
    "0 and 255": (encoded(".png", MARKS), DENT, "above 0"),
    "0 and 1": (encoded(".png", DENT.astype(np.uint8)), DENT, "above 0"),
    "class ids": (encoded(".png", IDS), DENT | SECOND, "above 0"),
    "class ids of 16 bits": (
        encoded(".png", IDS.astype(np.uint16) * 300),
        DENT | SECOND,
        "above 0",
    ),
    "ids down from 255": (encoded(".png", (0 - IDS)), DENT | SECOND, "above 0"),
    "ids that touch": (
        encoded(".png", np.where(DENT, 100, np.where(np.roll(DENT, 6, axis=1), 200, 0))),
        DENT | np.roll(DENT, 6, axis=1),
        "above 0",
    ),
    "thin lines of many ids": (encoded(".png", LINES), LINES > 0, "above 0"),
    "1 bit": (pillow("PNG", DENT), DENT, "above 0"),
    "BMP": (encoded(".bmp", MARKS), DENT, "above 0"),
    "coloured shape": (encoded(".png", np.dstack([MARKS * 0, MARKS // 2, MARKS])), DENT, "above 0"),
    "nothing is marked": (encoded(".png", MARKS * 0), MARKS > 255, "above 0"),
    "all is marked": (encoded(".png", MARKS * 0 + 255), MARKS >= 0, "above 0"),
    # issue 3: lossy files, and such files saved again
    **{f"JPEG of quality {q}": (jpeg(q), DENT, "above half") for q in (75, 90, 95)},
    **{f"JPEG {q}, saved as PNG": (reopened(jpeg(q)), DENT, "above half") for q in (75, 90, 95)},
    "lossy WebP": (
        encoded(".webp", np.dstack([MARKS] * 3), cv2.IMWRITE_WEBP_QUALITY, 80),
        DENT,
        "above half",
    ),
    "lossless WebP": (pillow("WEBP", np.dstack([MARKS] * 3), lossless=True), DENT, "above 0"),
    "drawn at twice the size": (
        encoded(".png", cv2.resize(cv2.resize(MARKS, (80, 64)), (40, 32))),
        DENT,
        "above half",
    ),
    "soft edges": (encoded(".png", polygon()), polygon() > 127, "above half"),
    # issue: palettes are indices
    "VOC palette": (palette(IDS, VOC), DENT | SECOND, "above 0"),
    "index 0 painted white": (
        palette(DENT.astype(np.uint8), [(255, 255, 255), (255, 0, 0)]),
        DENT,
        "above 0",
    ),
    "index 0 white, 1 black": (
        palette(DENT.astype(np.uint8), [(255, 255, 255), (0, 0, 0)]),
        DENT,
        "above 0",
    ),
    "palette BMP": (
        palette(DENT.astype(np.uint8), [(255, 255, 255), (255, 0, 0)], kind="BMP"),
        DENT,
        "above 0",
    ),
    "palette TIFF": (
        tiff(
            DENT.astype(np.uint8),
            photometric="palette",
            colormap=np.full((3, 256), 65535, np.uint16),
        ),
        DENT,
        "above 0",
    ),
    # issue: alpha 0 is background
    "shape in alpha over white": (opaque(MARKS * 0 + 255, MARKS), DENT, "alpha"),
    "shape in alpha over black": (opaque(MARKS * 0, MARKS), DENT, "alpha"),
    "colour where it is transparent": (
        opaque(np.where(DENT | SECOND, 200, 0).astype(np.uint8), np.where(SECOND, 0, 255)),
        DENT,
        "above 0",
    ),
    "a palette entry that is transparent": (
        palette(IDS, VOC, transparency=2),
        DENT,
        "above 0",
    ),
    "a grey that is transparent": (
        pillow("PNG", IDS * 100, transparency=200),
        DENT,
        "above 0",
    ),
    "MinIsWhite of 16 bits": (
        tiff(np.where(DENT, 0, 65535).astype(np.uint16), photometric="miniswhite"),
        DENT,
        "above 0",
    ),
}


def sample(file: Path, **reading) -> Sample:
    return Sample(
        part="P",
        split="train",
        defect="dent",
        name="x",
        group="x",
        is_anomalous=True,
        level_files=(file,),
        mask_file=file,
        reading=PartReading(**reading),
    )


@pytest.mark.parametrize("row", READ)
def test_a_mask_marks_what_was_drawn(tmp_path, row):
    content, expected, rule = READ[row]
    (tmp_path / "x_mask.png").write_bytes(content)
    (mask,) = read_mask_values(sample(tmp_path / "x_mask.png"), (32, 40))
    np.testing.assert_array_equal(mask.marked, expected)
    assert mask.rule == rule


REFUSED = {
    "classes 1 and 2": (
        encoded(".png", np.where(DENT, 2, 1)),
        "its values are 1, 2, none of them 0",
    ),
    "grey background": (encoded(".png", np.where(DENT, 255, 60)), "marks every pixel: .* 60, 255"),
    "overlay": (
        encoded(".png", np.dstack([GREY, GREY, np.where(DENT, 255, GREY)])),
        "is not a mask",
    ),
    "the picture itself": (encoded(".png", GREY), "as in a photo"),
    "the picture itself, JPEG": (encoded(".jpg", GREY), "as in a photo"),
    "probabilities": (
        encoded(".png", cv2.GaussianBlur(MARKS, (0, 0), 3)),
        r"is not a mask: \d\d % of its pixels above 0 have values in between",
    ),
    "probabilities over 1": (
        encoded(".png", np.maximum(cv2.GaussianBlur(MARKS, (0, 0), 3), 1)),
        "marks every pixel",
    ),
    "another size": (encoded(".png", MARKS[:-1]), "is 40x31, but its images are 40x32"),
    "turned by a quarter": (encoded(".png", MARKS.T), "orientation tags are applied"),
    "two pages": (tiff(np.stack([MARKS, MARKS]), photometric="minisblack"), "holds 2 pages"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_no_mask_is_refused_with_numbers(tmp_path, row):
    content, says = REFUSED[row]
    (tmp_path / "x_mask.png").write_bytes(content)
    with pytest.raises(DataError, match=f"^P/train/dent/x: mask x_mask.png {says}|{says}") as error:
        read_mask(sample(tmp_path / "x_mask.png"), (32, 40))
    assert "\n" not in str(error.value)


def test_a_void_border_counts_until_it_is_named(tmp_path):
    file = tmp_path / "x_mask.png"
    border = cv2.dilate(MARKS, np.ones((3, 3), np.uint8)) > 0
    file.write_bytes(palette(np.where(DENT, 1, np.where(border, 255, 0)).astype(np.uint8), VOC))

    (mask,) = read_mask_values(sample(file), (32, 40))
    assert (mask.marked == border).all()
    assert mask.suspects_void

    (mask,) = read_mask_values(sample(file, void_value=255), (32, 40))
    assert (mask.marked == DENT).all()
    assert mask.has_void
    assert not mask.suspects_void


def test_several_masks_of_a_sample_are_united(tmp_path):
    files = [tmp_path / "x_0.png", tmp_path / "x_1.png"]
    for file, marked in zip(files, (DENT, SECOND), strict=True):
        cv2.imwrite(str(file), marked.astype(np.uint8))
    both = replace(sample(files[0]), more_mask_files=(files[1],))
    assert (read_mask(both, (32, 40)) == (DENT | SECOND)).all()


def test_a_sample_without_mask_has_nothing_marked(tmp_path):
    bare = replace(sample(tmp_path / "x.png"), mask_file=None)
    assert not read_mask(bare, (32, 40)).any()
