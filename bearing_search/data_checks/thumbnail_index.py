"""The thumbnails of one part, with what comparing them needs; nothing is decided here.

Axis letters: n thumbnails; s side of a thumbnail; d numbers of a description; l levels
of one sample.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int

from bearing_search.data_checks.thumbnail import Thumbnail, code, resized, structure, turned

_CROPS = (0.02, 0.04, 0.06)
"""A copy may be cropped by so much of its side: hashes are taken with and without it."""

_OVERVIEW_PX = 128
_KEPT_STRUCTURES = 400


class Proposal(NamedTuple):
    """Two thumbnails, by number, that may show the same."""

    asked: int
    item: int
    orientation: int
    """How `asked` is turned to lie over `item` (see `turned`)."""


class ThumbnailIndex:
    """Thumbnails by number, at one side; a sample has as many of them as brightness levels."""

    def __init__(self, thumbnails: Sequence[Thumbnail]) -> None:
        self.side = int(np.median([len(thumbnail.pixels) for thumbnail in thumbnails]))
        self.owners = np.array([thumbnail.owner for thumbnail in thumbnails])
        self.levels = np.array([thumbnail.level for thumbnail in thumbnails])
        self._pixels = [thumbnail.pixels for thumbnail in thumbnails]
        images = [self.image(item) for item in range(len(thumbnails))]
        self._codes = np.stack([code(image) for image in images])
        self._cropped_codes = [
            np.stack([code(image, cropped=crop) for image in images]) for crop in _CROPS
        ]
        self._overviews = np.stack([_overview(structure(image)) for image in images])
        self._structures: OrderedDict[int, Float32[np.ndarray, "s s"]] = OrderedDict()

    @property
    def num_samples(self) -> int:
        """Samples with a thumbnail."""
        return len(set(self.owners.tolist()))

    def image(self, item: int) -> Float32[np.ndarray, "s s"]:
        """A thumbnail at the album's side."""
        return resized(self._pixels[item], self.side)

    def structure(self, item: int) -> Float32[np.ndarray, "s s"]:
        """Fine structure of a thumbnail; the latest are kept."""
        known = self._structures.pop(item, None)
        self._structures[item] = found = structure(self.image(item)) if known is None else known
        if len(self._structures) > _KEPT_STRUCTURES:
            self._structures.popitem(last=False)
        return found

    def proposals(
        self, owner: int, *, least: float, most: int, most_per_orientation: int
    ) -> list[Proposal]:
        """Thumbnails of `owner`, turned, beside those of other samples with a similar hash.

        Args:
            least: correlation of the hashes.
            most: how many in all, the most similar first.
            most_per_orientation: how many other samples in each.
        """
        own = np.flatnonzero(self.owners == owner)
        likeness = np.stack([self._likeness(own, orientation) for orientation in range(8)])
        likeness[:, :, self.owners == owner] = -1
        found: dict[tuple[int, int], Proposal] = {}
        for flat in np.argsort(-likeness, axis=None):
            orientation, row, item = (int(i) for i in np.unravel_index(flat, likeness.shape))
            if likeness[orientation, row, item] < least or len(found) == most:
                break
            taken = sum(key[0] == orientation for key in found)
            if taken < most_per_orientation:
                key = (orientation, int(self.owners[item]))
                found.setdefault(key, Proposal(int(own[row]), item, orientation))
        return list(found.values())

    def _likeness(self, own: Int[np.ndarray, " l"], orientation: int) -> Float32[np.ndarray, "l n"]:
        """Correlation of hashes; either side may be the cropped one."""
        plain = _rows([turned(one, orientation) for one in self._codes[own]])
        all_plain = _rows(self._codes)
        tried = [plain @ all_plain.T]
        for codes in self._cropped_codes:
            cropped = _rows([turned(one, orientation) for one in codes[own]])
            tried += [plain @ _rows(codes).T, cropped @ all_plain.T]
        likeness: Float32[np.ndarray, "l n"] = np.maximum.reduce(tried)
        return likeness

    def alike(self, seen: Float32[np.ndarray, "s s"], owner: int, *, least: float) -> list[int]:
        """Thumbnails of other samples whose fine structure is like the given one, as they lie.

        Args:
            least: correlation. One thumbnail for each sample, the most similar first.
        """
        likeness = self._overviews @ _overview(seen)
        likeness[self.owners == owner] = -1
        found: dict[int, int] = {}
        for item in np.argsort(-likeness):
            if likeness[item] < least:
                break
            found.setdefault(int(self.owners[item]), int(item))
        return list(found.values())


def _overview(fine: Float32[np.ndarray, "s s"]) -> Float32[np.ndarray, " d"]:
    small = resized(fine, min(_OVERVIEW_PX, len(fine))).ravel()
    return small / max(float(np.linalg.norm(small)), 1e-6)


def _rows(images: Sequence[np.ndarray] | np.ndarray) -> Float32[np.ndarray, "n d"]:
    stacked = np.asarray(images, dtype=np.float32)
    return stacked.reshape(len(stacked), -1)
