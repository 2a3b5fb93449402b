"""All pictures of a data set, described once per content, with their pixels at hand.

Axis letters: h, w rows and columns.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from bearing_search.data.samples import Sample, read_levels, read_pages
from bearing_search.data_checks.matching.images.compression import jpeg_quality
from bearing_search.data_checks.matching.images.description import Description, describe
from bearing_search.preprocess.contrast import grey
from bearing_search.preprocess.image_cache import entry, load_arrays, store_arrays

VERSION = 1
"""Raised whenever equal pixels get another description."""

_KEPT_THUMBNAILS = 500
_KEPT_PICTURES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One brightness level of one sample."""

    owner: int
    """Position of the sample."""

    level: int
    """Brightness, 0 the brightest."""

    shown: Description
    """Without its thumbnail, which the album reads when it is needed."""


class Album:
    """Pictures by number; those that show nothing are left out."""

    def __init__(
        self,
        samples: Sequence[Sample],
        contents: Mapping[Path, str],
        cache: Path,
        *,
        on_progress: Callable[[float], None] = lambda share: None,
    ) -> None:
        """Describe every level of every sample, on all cores; what is known is read.

        Args:
            contents: digest of each file's content.
            cache: folder of the descriptions.
            on_progress: told which share is done.

        Raises:
            DataError: a file cannot be read.
        """
        self.samples = samples
        self._contents = contents
        self._cache = cache
        self.pictures: list[Picture] = []
        self.sizes: list[tuple[int, int]] = []
        """Rows and columns of each sample's images."""
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for position, levels in enumerate(pool.map(self._described, samples)):
                self.sizes.append(levels[0].size)
                self.pictures += [
                    Picture(owner=position, level=level, shown=shown)
                    for level, shown in enumerate(levels)
                    if not shown.is_blank
                ]
                on_progress((position + 1) / len(samples))
        first: dict[int, int] = {}
        for item, picture in enumerate(self.pictures):
            first.setdefault(picture.owner, item)
        self.asked = list(first.values())
        """The brightest picture of each sample, which is compared with all others."""

        self.owners = np.array([picture.owner for picture in self.pictures], dtype=np.int64)
        self.thumbnail = lru_cache(_KEPT_THUMBNAILS)(self._thumbnail)
        self.image = lru_cache(_KEPT_PICTURES)(self._image)

    def file(self, item: int) -> Path:
        """The file that holds a picture."""
        picture = self.pictures[item]
        return self.samples[picture.owner].file_of_level(picture.level)

    def quality(self, item: int) -> int | None:
        """JPEG quality of a picture's file; None if it is none."""
        return jpeg_quality(self.file(item))

    def enlargement(self, item: int) -> Float[np.ndarray, " 2"]:
        """Factors in x and y from a picture's thumbnail to the picture."""
        size, small = self.pictures[item].shown.size, self.thumbnail(item).shape
        return np.array([size[1] / small[1], size[0] / small[0]])

    def _described(self, sample: Sample) -> list[Description]:
        files = [self._entry(sample, level) for level in range(sample.num_levels)]
        known = [_loaded(file) for file in files]
        if all(one is not None for one in known):
            return [replace(one, thumbnail=_NO_PIXELS) for one in known if one is not None]
        made = [describe(image) for image in read_levels(sample)]
        for level, one in enumerate(made):
            store_arrays(self._entry(sample, level), _arrays(one))
        return [replace(one, thumbnail=_NO_PIXELS) for one in made]

    def _entry(self, sample: Sample, level: int) -> Path:
        content = self._contents[sample.file_of_level(level)]
        page = level if len(sample.level_files) == 1 else 0
        return entry(self._cache, ".npz", "picture", VERSION, content, page, sample.reading.bits)

    def _thumbnail(self, item: int) -> UInt8[np.ndarray, "h w"]:
        picture = self.pictures[item]
        sample = self.samples[picture.owner]
        known = _loaded(self._entry(sample, picture.level))
        shown = describe(self.image(item)) if known is None else known
        return shown.thumbnail

    def _image(self, item: int) -> UInt8[np.ndarray, "h w"]:
        picture = self.pictures[item]
        sample = self.samples[picture.owner]
        page = picture.level if len(sample.level_files) == 1 else 0
        return grey(read_pages(self.file(item), sample.reading.bits)[page])


_NO_PIXELS = np.zeros((0, 0), np.uint8)
_ARRAYS = tuple(field.name for field in fields(Description))


def _arrays(shown: Description) -> dict[str, np.ndarray]:
    return {name: np.asarray(getattr(shown, name)) for name in _ARRAYS}


def _loaded(file: Path) -> Description | None:
    """A stored description; None if it is missing or damaged."""
    arrays = load_arrays(file)
    if arrays is None or set(arrays) != set(_ARRAYS):
        return None
    height, width = (int(side) for side in arrays.pop("size"))
    return Description(**arrays, size=(height, width))
