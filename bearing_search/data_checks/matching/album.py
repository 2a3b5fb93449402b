"""One picture of each sample of a data set, described once per content, with its pixels at hand.

The levels of a sample show one thing from one place, so the first that shows anything stands for
all; the others are opened where it comes to details.

Axis letters: h, w rows and columns.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from bearing_search.data.samples import Sample, read_pages
from bearing_search.data_checks.matching.images.compression import jpeg_quality
from bearing_search.data_checks.matching.images.description import Description, describe
from bearing_search.data_checks.matching.images.keypoints import Keypoints
from bearing_search.data_checks.matching.images.spectra import Shrunk, shrunk
from bearing_search.preprocess.contrast import grey
from bearing_search.preprocess.image_cache import entry, load_arrays, store_arrays

VERSION = 2
"""Raised whenever equal pixels get another description."""

_KEPT_THUMBNAILS = 500
_KEPT_SHRUNK = 100
_KEPT_PICTURES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The brightest level of a sample that shows something."""

    owner: int
    """Position of the sample."""

    level: int
    """Brightness, 0 the brightest."""

    shown: Description
    """Without its thumbnail, which the album reads when it is needed."""


class Album:
    """Pictures by number; samples that show nothing have none."""

    def __init__(
        self,
        samples: Sequence[Sample],
        contents: Mapping[Path, str],
        cache: Path,
        *,
        on_progress: Callable[[float], None] = lambda share: None,
    ) -> None:
        """Describe every sample, on all cores; what is known is read.

        Args:
            contents: digest of each file's content.
            cache: folder of the descriptions.
            on_progress: told which share is done.

        Raises:
            DataError: a file cannot be read.
        """
        self.samples = samples
        self.cache = cache
        self._contents = contents
        self.pictures: list[Picture] = []
        self.sizes: list[tuple[int, int]] = []
        """Rows and columns of each sample's images."""
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for position, found in enumerate(pool.map(self._first, range(len(samples)))):
                self.sizes.append(found.shown.size)
                if not found.shown.is_blank:
                    self.pictures.append(found)
                on_progress((position + 1) / len(samples))
        self.owners = np.array([picture.owner for picture in self.pictures], dtype=np.int64)
        self.thumbnail = lru_cache(_KEPT_THUMBNAILS)(self._thumbnail)
        self.shrunk = lru_cache(_KEPT_SHRUNK)(self._shrunk)
        self.image = lru_cache(_KEPT_PICTURES)(self._image)

    def num_levels(self, item: int) -> int:
        """Brightness levels of a picture's sample."""
        return self.samples[self.pictures[item].owner].num_levels

    def file(self, item: int, level: int) -> Path:
        """The file that holds a level of a picture's sample."""
        return self.samples[self.pictures[item].owner].file_of_level(level)

    def content(self, item: int, level: int) -> str:
        """Digest of that file's content."""
        return self._contents[self.file(item, level)]

    def quality(self, item: int, level: int) -> int | None:
        """JPEG quality of that file; None if it is none."""
        return jpeg_quality(self.file(item, level))

    def enlargement(self, item: int) -> Float[np.ndarray, " 2"]:
        """Factors in x and y from a picture's thumbnail to the picture."""
        size, small = self.pictures[item].shown.size, self.thumbnail(item).shape
        return np.array([size[1] / small[1], size[0] / small[0]])

    def is_blank(self, position: int, file: int) -> bool:
        """Whether a file of a sample, by number, shows nothing on any of its pages."""
        sample = self.samples[position]
        levels = [file] if len(sample.level_files) > 1 else range(sample.num_levels)
        return all(self._described(sample, level).is_blank for level in levels)

    def _first(self, position: int) -> Picture:
        sample = self.samples[position]
        for level in range(sample.num_levels):
            shown = self._described(sample, level)
            if not shown.is_blank:
                break
        return Picture(owner=position, level=level, shown=replace(shown, thumbnail=_NO_PIXELS))

    def _described(self, sample: Sample, level: int) -> Description:
        file = self._entry(sample, level)
        known = _loaded(file)
        if known is not None:
            return known
        made = describe(_read(sample, level))
        store_arrays(file, _arrays(made))
        return made

    def _entry(self, sample: Sample, level: int) -> Path:
        content = self._contents[sample.file_of_level(level)]
        page = level if len(sample.level_files) == 1 else 0
        return entry(self.cache, ".npz", "picture", VERSION, content, page, sample.reading.bits)

    def _thumbnail(self, item: int) -> UInt8[np.ndarray, "h w"]:
        picture = self.pictures[item]
        return self._described(self.samples[picture.owner], picture.level).thumbnail

    def _shrunk(self, item: int) -> Shrunk:
        return shrunk(self.thumbnail(item))

    def _image(self, item: int, level: int) -> UInt8[np.ndarray, "h w"]:
        return _read(self.samples[self.pictures[item].owner], level)


def _read(sample: Sample, level: int) -> UInt8[np.ndarray, "h w"]:
    page = level if len(sample.level_files) == 1 else 0
    return grey(read_pages(sample.file_of_level(level), sample.reading.bits)[page])


_NO_PIXELS = np.zeros((0, 0), np.uint8)
_POINTS = ("points", "turns", "codes")
_ARRAYS = {"thumbnail", "size", "overview", *_POINTS}


def _arrays(shown: Description) -> dict[str, np.ndarray]:
    return {
        "thumbnail": shown.thumbnail,
        "size": np.asarray(shown.size),
        "overview": shown.overview,
        **{name: getattr(shown.keypoints, name) for name in _POINTS},
    }


def _loaded(file: Path) -> Description | None:
    """A stored description; None if it is missing or damaged."""
    arrays = load_arrays(file)
    if arrays is None or set(arrays) != _ARRAYS:
        return None
    height, width = (int(side) for side in arrays["size"])
    return Description(
        thumbnail=arrays["thumbnail"],
        size=(height, width),
        keypoints=Keypoints(**{name: arrays[name] for name in _POINTS}),
        overview=arrays["overview"],
    )
