"""Pictures that lie alike, as before one fixed camera, and what sets two of them apart from those.

A scene is what such pictures have in common: their mean. Two of them are alike beyond the scene if
they still agree once it is taken away.

Axis letters: n pictures; m those of one scene; d numbers of an overview, p of them covered.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int, Int8

LIES_ALIKE_FROM = 0.5
"""Correlation of two overviews from which their pictures may show one scene."""

_BLOCK = 512
_SCENE_MOST = 24
_SCENE_LEAST = 3


class Overviews:
    """The overviews of all pictures."""

    def __init__(self, overviews: Sequence[Int8[np.ndarray, " d"]]) -> None:
        self._all = np.stack(overviews)

    def nearest(
        self, allowed: "Groups", *, most: int
    ) -> Iterator[tuple[int, Int[np.ndarray, " few"]]]:
        """Each picture with the pictures of other groups most alike beyond their scene.

        Pictures that have none are left out.
        """
        for start in range(0, len(self._all), _BLOCK):
            asked = np.arange(start, min(start + _BLOCK, len(self._all)))
            likeness = self._likeness(_unit(self._all[asked].astype(np.float32)))
            for row, item in zip(likeness, asked, strict=True):
                others = allowed.others(item)
                row[~others] = -1
                found = self._beyond_scene(self._all[item], row, None, most=most)
                if len(found):
                    yield int(item), found

    def alike(
        self,
        overview: Int8[np.ndarray, " d"],
        covers: Bool[np.ndarray, " d"],
        others: Bool[np.ndarray, " n"],
        *,
        most: int,
    ) -> Int[np.ndarray, " few"]:
        """Pictures most like an overview beyond the scene that they share with it.

        Args:
            covers: where the overview is known.
            others: which pictures may be named.
        """
        ours = _unit(overview[covers].astype(np.float32)[None])
        rows = [
            (_unit(block[:, covers].astype(np.float32)) @ ours.T)[:, 0] for block in self._blocks()
        ]
        likeness = np.concatenate(rows)
        likeness[~others] = -1
        return self._beyond_scene(overview, likeness, covers, most=most)

    def _beyond_scene(
        self,
        overview: Int8[np.ndarray, " d"],
        likeness: Float32[np.ndarray, " n"],
        covers: Bool[np.ndarray, " d"] | None,
        *,
        most: int,
    ) -> Int[np.ndarray, " few"]:
        kept = min(_SCENE_MOST, len(likeness))
        scene = np.argpartition(-likeness, kept - 1)[:kept]
        scene = scene[likeness[scene] >= LIES_ALIKE_FROM]
        if len(scene) < _SCENE_LEAST:
            return scene[np.argsort(-likeness[scene])][:most]
        where = slice(None) if covers is None else covers
        ours = _unit(overview[where].astype(np.float32)[None])
        theirs = _unit(self._all[scene][:, where].astype(np.float32))
        mean = theirs.mean(axis=0)
        # without the one that is compared: its own share in the mean would count against it
        left = theirs - (mean * len(scene) - theirs) / (len(scene) - 1)
        rest = (_unit(ours - mean) * _unit(left)).sum(axis=1)
        order: Int[np.ndarray, " few"] = scene[np.argsort(-rest)][:most]
        return order

    def _likeness(self, asked: Float32[np.ndarray, "q d"]) -> Float32[np.ndarray, "q n"]:
        rows = [asked @ _unit(block.astype(np.float32)).T for block in self._blocks()]
        likeness: Float32[np.ndarray, "q n"] = np.concatenate(rows, axis=1)
        return likeness

    def _blocks(self) -> Iterator[Int8[np.ndarray, "b d"]]:
        for start in range(0, len(self._all), 2 * _BLOCK):
            yield self._all[start : start + 2 * _BLOCK]


class Groups:
    """Which pictures may be compared with which: those of other groups, in one set of parts."""

    def __init__(self, groups: Sequence[int], sets: Sequence[int]) -> None:
        self._groups, self._sets = np.array(groups), np.array(sets)

    def others(self, item: int) -> Bool[np.ndarray, " n"]:
        """Pictures that one may be compared with."""
        others: Bool[np.ndarray, " n"] = (self._groups != self._groups[item]) & (
            self._sets == self._sets[item]
        )
        return others

    def one_set(self, item: int) -> Bool[np.ndarray, " n"]:
        """Pictures of the same set, of the same group too."""
        same: Bool[np.ndarray, " n"] = self._sets == self._sets[item]
        return same


def _unit(rows: Float32[np.ndarray, "m p"]) -> Float32[np.ndarray, "m p"]:
    unit: Float32[np.ndarray, "m p"] = rows / np.maximum(
        np.linalg.norm(rows, axis=1, keepdims=True), 1e-6
    )
    return unit
