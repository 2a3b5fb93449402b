"""Refuses pictures by their headers that are too large to be decoded beside a running line."""

import warnings
from pathlib import Path

from PIL import Image

MOST_PIXELS = 100_000_000
MOST_PAGES = 100
"""Pages whose headers are read."""

UNKNOWN_PX = 2**31
"""Width and height of a picture that is so large that Pillow does not say how large."""

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")


def page_sizes(file: Path) -> list[tuple[int, int]]:
    """Width and height of each page by its header, before any turning; empty: Pillow cannot tell.

    Only a TIFF has more than one.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=_FORMATS) as opened:
                sizes = [opened.size]
                pages = getattr(opened, "n_frames", 1) if opened.format == "TIFF" else 1
                for page in range(1, min(pages, MOST_PAGES)):
                    opened.seek(page)  # reads its header, not its pixels
                    sizes.append(opened.size)
                return sizes
    except Image.DecompressionBombError:
        return [(UNKNOWN_PX, UNKNOWN_PX)]
    except Exception:  # Pillow raises many kinds; the decoder says what is wrong with the file
        return []


def size_flaw(file: Path) -> str:
    """Why a picture is too large; empty: it is not, or its size is not known."""
    sizes = page_sizes(file)
    width, height = max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))
    if width * height <= MOST_PIXELS:
        return ""
    shown = "more" if width == UNKNOWN_PX else f"{width}x{height} px"
    return (
        f"{file}: {shown}, above the {MOST_PIXELS // 1_000_000} megapixels that are judged; crop "
        "it, or make it smaller"
    )
