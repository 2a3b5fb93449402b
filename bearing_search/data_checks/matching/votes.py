"""Which pictures share keypoints, however one is turned: locality-sensitive hashing of their codes.

Each table hashes a code by the signs of some random projections. A picture gets a vote for each
pair of keypoints, its own and one of the picture that is asked about, that fall together. All those
of a copy are turned by one angle (weak geometric consistency, Jegou et al. 2008), so votes are
counted per angle. Work grows with the number of keypoints, not with its square: a table is sorted,
and of a crowded hash only a few are counted.

Axis letters: k keypoints; n pictures.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int, UInt8

from bearing_search.data_checks.matching.images.keypoints import Keypoints

_TABLES = 12
_BITS = 20
_MOST_IN_HASH = 24
_SAMPLED = 20_000
_BLOCK = 8_192
_ANGLES = 16
_MOST_SIZES = 0.7
"""Difference in size, as a power of 2, from which two keypoints do not show the same."""


class Votes(NamedTuple):
    """Votes for each picture."""

    counts: Int[np.ndarray, " n"]
    """At the angle that most agree on."""

    is_upright: np.ndarray
    """Whether that angle is about 0."""


class VoteIndex:
    """Keypoints of all pictures, hashed."""

    def __init__(self, keypoints: Sequence[Keypoints]) -> None:
        self.num_pictures = len(keypoints)
        counts = [len(one.points) for one in keypoints]
        self._owners = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        self._turns = np.concatenate([np.zeros((0, 2), np.float32), *(p.turns for p in keypoints)])
        codes = np.concatenate([np.zeros((0, 128), np.uint8), *(p.codes for p in keypoints)])
        self._mean = np.sqrt(codes[:: max(1, len(codes) // _SAMPLED)].astype(np.float32))
        self._mean = self._mean.mean(axis=0) if len(codes) else np.zeros(128, np.float32)
        rng = np.random.default_rng(0)
        self._axes = rng.normal(size=(128, _TABLES * _BITS)).astype(np.float32)
        self._tables: list[tuple[np.ndarray, np.ndarray]] = []
        hashes = np.concatenate(
            [self._hashes(codes[at : at + _BLOCK]) for at in range(0, len(codes), _BLOCK)]
            or [np.zeros((0, _TABLES), np.uint32)]
        )
        for table in range(_TABLES):
            order = np.argsort(hashes[:, table], kind="stable").astype(np.int32)
            self._tables.append((hashes[order, table], order))

    def votes(self, asked: Keypoints) -> Votes:
        """Votes of each picture for some keypoints."""
        wanted = self._hashes(asked.codes)
        cells = np.zeros(self.num_pictures * _ANGLES, dtype=np.int64)
        for table, (hashes, order) in enumerate(self._tables):
            first = np.searchsorted(hashes, wanted[:, table], side="left")
            size = np.searchsorted(hashes, wanted[:, table], side="right") - first
            taken = np.minimum(size, _MOST_IN_HASH)
            met = order[_ranges(first, size, taken)]
            turned, grown = (self._turns[met] - np.repeat(asked.turns, taken, axis=0)).T
            angles = np.floor(turned % 360 / 360 * _ANGLES).astype(np.int64) % _ANGLES
            alike = np.abs(grown) < _MOST_SIZES
            at = self._owners[met].astype(np.int64) * _ANGLES + angles
            cells += np.bincount(at[alike], minlength=len(cells))
        counts = cells.reshape(self.num_pictures, _ANGLES)
        # an angle near the border of two bins is in both
        joined = counts + np.roll(counts, 1, axis=1)
        best = joined.argmax(axis=1)
        return Votes(joined.max(axis=1, initial=0), np.isin(best, (0, 1, _ANGLES - 1)))

    def _hashes(self, codes: UInt8[np.ndarray, "k 128"]) -> np.ndarray:
        level: Float32[np.ndarray, "k 128"] = np.sqrt(codes.astype(np.float32)) - self._mean
        signs = (level @ self._axes > 0).reshape(len(codes), _TABLES, _BITS)
        powers = (1 << np.arange(_BITS)).astype(np.float32)
        return (signs.astype(np.float32) @ powers).astype(np.uint32)


def _ranges(
    first: Int[np.ndarray, " k"], size: Int[np.ndarray, " k"], taken: Int[np.ndarray, " k"]
) -> Int[np.ndarray, " hits"]:
    """Positions in a sorted table: `taken` of `size` from `first` on, evenly spread."""
    total = int(taken.sum())
    rank = np.arange(total) - np.repeat(np.cumsum(taken) - taken, taken)
    step = np.repeat(size, taken) / np.maximum(np.repeat(taken, taken), 1)
    offset: Int[np.ndarray, " hits"] = np.repeat(first, taken) + (rank * step).astype(np.int64)
    return offset
