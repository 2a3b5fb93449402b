"""Recently decoded images: both passes read brightness 0, and decoding is half of their time.

Axis letters: h, w rows and columns; c colours.
"""

from collections import OrderedDict
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from bearing_search.data.samples import read_pages

MAX_BYTES = 48 * 2**20
"""Limit on what one process keeps."""

_Key = tuple[Path, int | None, int, int]


class RecentImages:
    """Images decoded by the first pass, kept for the second.

    The newest are kept up to the limit. `take` removes an image: nothing needs it a third time.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[_Key, UInt8[np.ndarray, "h w *c"]] = OrderedDict()
        self._num_bytes = 0

    def read(self, file: Path, bits: int | None = None) -> UInt8[np.ndarray, "h w *c"]:
        """Decode an image, or the first of several pages, and keep it; the array is read-only.

        Args:
            bits: as for `read_image`.

        Raises:
            DataError: as for `read_pages`.
        """
        image = read_pages(file, bits)[0]
        image.flags.writeable = False
        key = _key(file, bits)
        if key not in self._kept and image.nbytes <= self._max_bytes:
            self._kept[key] = image
            self._num_bytes += image.nbytes
        while self._num_bytes > self._max_bytes:
            self._num_bytes -= self._kept.popitem(last=False)[1].nbytes
        return image

    def take(self, file: Path, bits: int | None = None) -> UInt8[np.ndarray, "h w *c"]:
        """Remove and return the kept image; decode the file if it is not kept or has changed.

        Args:
            bits: as for `read_image`.

        Raises:
            DataError: as for `read_pages`.
        """
        kept = self._kept.pop(_key(file, bits), None) if self._kept and file.exists() else None
        if kept is None:
            return read_pages(file, bits)[0]
        self._num_bytes -= kept.nbytes
        return kept


recent_images = RecentImages()
"""One per process, like the cache of `detect_sample`: `fit_reference`, `prepare`, `extract` and
`roi_score` are called one after the other and share nothing but the samples' files. A trial's
process starts with an empty one, because the trial's context is pickled. It affects how often a
file is decoded, never a result."""


def _key(file: Path, bits: int | None) -> _Key:
    status = file.stat()
    return file, bits, status.st_mtime_ns, status.st_size
