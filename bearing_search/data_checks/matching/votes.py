"""Which pictures share keypoints, however one is turned: locality-sensitive hashing of ORB codes.

Each table hashes a code by some of its bits. A picture gets a vote for each pair of keypoints, its
own and one of the picture that is asked about, that fall together. Work grows with the number
of keypoints, not with its square: a table is sorted, and of a crowded hash only a few are counted.

Axis letters: k keypoints; n pictures; q pictures that are asked about.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8

_TABLES = 12
_BITS = 20
_MOST_IN_HASH = 24


class VoteIndex:
    """Keypoints of all pictures, hashed."""

    def __init__(self, codes: Sequence[UInt8[np.ndarray, "_ 32"]]) -> None:
        self.num_pictures = len(codes)
        counts = [len(one) for one in codes]
        pictures = np.repeat(np.arange(len(codes), dtype=np.int32), counts)
        together = np.concatenate([*codes, np.zeros((0, 32), np.uint8)])
        rng = np.random.default_rng(0)
        self._bits = [rng.permutation(256)[:_BITS] for _ in range(_TABLES)]
        self._hashes, self._pictures = [], []
        for bits in self._bits:
            hashes = _hashes(together, bits)
            order = np.argsort(hashes, kind="stable")
            self._hashes.append(hashes[order])
            self._pictures.append(pictures[order])

    def votes(self, asked: Sequence[UInt8[np.ndarray, "_ 32"]]) -> Int[np.ndarray, "q n"]:
        """Number of votes of each picture for each set of codes."""
        rows = np.repeat(np.arange(len(asked)), [len(one) for one in asked])
        together = np.concatenate([*asked, np.zeros((0, 32), np.uint8)])
        votes = np.zeros(len(asked) * self.num_pictures, dtype=np.int64)
        for bits, hashes, pictures in zip(self._bits, self._hashes, self._pictures, strict=True):
            wanted = _hashes(together, bits)
            first = np.searchsorted(hashes, wanted, side="left")
            size = np.searchsorted(hashes, wanted, side="right") - first
            taken = np.minimum(size, _MOST_IN_HASH)
            at = _ranges(first, size, taken)
            cells = np.repeat(rows, taken) * self.num_pictures + pictures[at]
            votes += np.bincount(cells, minlength=len(votes))
        return votes.reshape(len(asked), self.num_pictures)


def _ranges(
    first: Int[np.ndarray, " k"], size: Int[np.ndarray, " k"], taken: Int[np.ndarray, " k"]
) -> Int[np.ndarray, " hits"]:
    """Positions in a sorted table: `taken` of `size` from `first` on, evenly spread."""
    total = int(taken.sum())
    rank = np.arange(total) - np.repeat(np.cumsum(taken) - taken, taken)
    step = np.repeat(size, taken) / np.maximum(np.repeat(taken, taken), 1)
    offset: Int[np.ndarray, " hits"] = np.repeat(first, taken) + (rank * step).astype(np.int64)
    return offset


def _hashes(codes: UInt8[np.ndarray, "k 32"], bits: Int[np.ndarray, " b"]) -> np.ndarray:
    chosen = (codes[:, bits // 8] >> (7 - bits % 8).astype(np.uint8)) & 1
    packed = np.packbits(chosen, axis=1)
    wide = np.zeros((len(codes), 4), np.uint8)
    wide[:, : packed.shape[1]] = packed
    return wide.view(np.uint32).ravel()
