"""Refuses pictures by their headers that are too large to be decoded beside a running line."""

import warnings
from pathlib import Path

from PIL import Image

MOST_PIXELS = 100_000_000


def picture_size(file: Path) -> tuple[int, int] | None:
    """Width and height by a file's header, before any turning; None: Pillow cannot tell."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file) as opened:
                return opened.size
    except Image.DecompressionBombError:
        return MOST_PIXELS, MOST_PIXELS
    except Exception:  # Pillow raises many kinds; the decoder says what is wrong with the file
        return None


def size_flaw(file: Path) -> str:
    """Why a picture is too large; empty: it is not, or its size is not known."""
    size = picture_size(file)
    if size is None or size[0] * size[1] <= MOST_PIXELS:
        return ""
    shown = "more" if size[0] == MOST_PIXELS else f"{size[0]}x{size[1]} px"
    return (
        f"{file}: {shown}, above the {MOST_PIXELS // 1_000_000} megapixels that are judged; crop "
        "it, or make it smaller"
    )
