"""Contact sheets: grids of RGB pictures with captions and outlines.

Text is drawn with the fonts in OpenCV's wheel (5.0 and later): Latin, Greek, Cyrillic, Hangul, kana
and han, the same on every machine. Axis letters: h, w rows and columns; c colours.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Shaped, UInt8

from bearing_search.filesystem.atomic import write_atomically

Picture = UInt8[np.ndarray, "_ _ 3"]
"""RGB, of any size."""

Colour = tuple[int, int, int]
BACKGROUND: Colour = (24, 24, 24)
HEADING: Colour = (60, 60, 60)
TEXT: Colour = (235, 235, 235)
OUTLINE: Colour = (80, 220, 80)

_WEIGHT = 400

Mask = Bool[np.ndarray, "_ _"]


def grid(pictures: Sequence[Picture], columns: int) -> Picture:
    """Pictures arranged row by row; the last row may be incomplete."""
    starts = range(0, len(pictures), columns)
    return stacked([beside(pictures[start : start + columns]) for start in starts])


def beside(pictures: Sequence[Picture], gap: int = 0) -> Picture:
    """Pictures side by side, aligned at the top."""
    height = max(len(picture) for picture in pictures)
    *others, last = (padded(picture, height=height) for picture in pictures)
    return np.hstack([*(padded(one, width=one.shape[1] + gap) for one in others), last])


def stacked(pictures: Sequence[Picture]) -> Picture:
    """Pictures one below the other, aligned at the left."""
    width = max(picture.shape[1] for picture in pictures)
    return np.vstack([padded(picture, width=width) for picture in pictures])


def padded(picture: Picture, *, width: int = 0, height: int = 0) -> Picture:
    """The picture, padded on the right and at the bottom to at least this size."""
    rows, columns = picture.shape[:2]
    canvas = np.full((max(rows, height), max(columns, width), 3), BACKGROUND, dtype=np.uint8)
    canvas[:rows, :columns] = picture
    return canvas


def fitted(image: UInt8[np.ndarray, "h w *c"], width: int, height: int) -> Picture:
    """A grey or RGB image, scaled to fit with its aspect ratio preserved."""
    scale = min(width / image.shape[1], height / image.shape[0])
    rows, columns = (max(1, int(side * scale)) for side in image.shape[:2])
    return resized(image if image.ndim == 3 else np.dstack([image] * 3), columns, rows)


def outlined(picture: Picture, mask: Mask, colour: Colour = OUTLINE) -> Picture:
    """The picture with the contours of a mask, which may have another size."""
    inside = mask_over(picture, mask).astype(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(picture.copy(), contours, -1, colour, 1))


def mask_over(picture: Picture, mask: Mask) -> Mask:
    """The mask resized to the picture; marked regions never vanish, however small they get."""
    return resized(mask.astype(np.float32), picture.shape[1], picture.shape[0]) > 0


def resized(
    image: Shaped[np.ndarray, "h w *c"], width: int, height: int
) -> Shaped[np.ndarray, "_ _ *c"]:
    """The image at another size, by area interpolation."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))


def label(
    text: str,
    width: int,
    *,
    colour: Colour = TEXT,
    background: Colour = BACKGROUND,
    size: int = 12,
    align: float = 0.0,
) -> Picture:
    """A strip of text, as high as its lines need.

    Args:
        width: width of the strip, in pixels; longer lines are wrapped.
        size: font size, in pixels.
        align: 0 left, 0.5 centred, 1 right.
    """
    room, pitch = width - 8, size + 4
    lines = [line for part in text.split("\n") for line in _broken(drawable(part), room, size)]
    strip = np.full((pitch * len(lines) + 6, width, 3), background, dtype=np.uint8)
    for number, line in enumerate(lines):
        left = 4 + round((room - _width(line, size)) * align)
        at = (left, 3 + pitch * number + size)
        cv2.putText(strip, line, at, colour, _font(), size, _WEIGHT)
    return strip


def drawable(text: str) -> str:
    r"""The text with characters that the fonts lack replaced by escapes such as `\u0e2a`."""
    # NFC: file names from macOS have decomposed Hangul and umlauts
    return "".join(
        letter if _is_drawable(letter) else letter.encode("unicode_escape").decode()
        for letter in unicodedata.normalize("NFC", text)
    )


def write_png(picture: Picture, file: Path) -> None:
    """Write a picture, creating its folder if missing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, png_bytes(picture))


def png_bytes(picture: Picture) -> bytes:
    """A picture as the content of a PNG file."""
    half_as_large = [cv2.IMWRITE_PNG_COMPRESSION, 3]  # as OpenCV's default, in twice the time
    return cv2.imencode(".png", picture[..., ::-1], half_as_large)[1].tobytes()


def _broken(text: str, room: int, size: int) -> list[str]:
    """Lines that fit, broken after a space or a slash if one is in their second half."""
    lines = []
    while len(text) > 1 and _width(text, size) > room:
        lengths = range(1, len(text))
        most = bisect_right(lengths, room, key=lambda length: _width(text[:length], size))
        after = max(text.rfind(sign, 0, most) for sign in " /") + 1
        cut = after if 2 * after > most else max(most, 1)
        lines.append(text[:cut])
        text = text[cut:]
    return [*lines, text]


@cache
def _is_drawable(letter: str) -> bool:
    # a character without a glyph is drawn as a question mark; unprintable ones are never drawn
    if letter == "?" or not letter.isprintable():
        return letter == "?"
    drawn, unknown = np.zeros((2, 24, 36, 3), dtype=np.uint8)
    for canvas, text in ((drawn, letter), (unknown, "?")):
        cv2.putText(canvas, text, (12, 12), TEXT, _font(), 12, _WEIGHT)
    return not np.array_equal(drawn, unknown)


def _width(text: str, size: int) -> int:
    return int(cv2.getTextSize((0, 0), text, (0, 0), _font(), size, _WEIGHT)[2])


@cache
def _font() -> Any:
    return cv2.FontFace("sans")
