"""Pictures that lie alike, as before one fixed camera, and what sets two of them apart from those.

A scene is what such pictures have in common: their mean. Two of them are alike beyond the scene if
they still agree once it is taken away.

Axis letters: n pictures; m those of one scene; d numbers of an overview, p of them covered.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int, Int8

LIES_ALIKE_FROM = 0.5
"""Correlation of two overviews from which their pictures may show one scene."""

_BLOCK = 512
SCENE_MOST = 48
_SCENE_LEAST = 3
_NEAREST = 2
_NEAREST_FROM = 0.3


class Overviews:
    """The overviews of all pictures."""

    def __init__(self, overviews: Sequence[Int8[np.ndarray, " d"]], groups: "Groups") -> None:
        self._all = np.stack(overviews)
        self._groups = groups
        self.scenes: list[Int[np.ndarray, " m"]] = []
        """Of each picture, those of other samples that lie most like it."""

        self.nearest: list[Int[np.ndarray, " few"]] = []
        """Of each picture, those of other groups that are most like it beyond their scene."""

        for start in range(0, len(self._all), _BLOCK):
            asked = self._all[start : start + _BLOCK]
            for row, likeness in enumerate(self._likeness(_unit(asked.astype(np.float32)))):
                self._place(start + row, likeness)

    def lie_alike(self, item: int, other: int) -> bool:
        """Whether two pictures may show one scene from one place."""
        pair = _unit(self._all[[item, other]].astype(np.float32))
        return float(pair[0] @ pair[1]) >= LIES_ALIKE_FROM

    def _place(self, item: int, likeness: Float32[np.ndarray, " n"]) -> None:
        others = self._groups.others(item)
        scene = _most(np.where(self._groups.other_samples(item), likeness, -1))
        self.scenes.append(scene)
        if not others[scene].all():
            scene = _most(np.where(others, likeness, -1))
        if len(scene) < _SCENE_LEAST:
            self.nearest.append(scene[:_NEAREST])
            return
        ours = _unit(self._all[[item]].astype(np.float32))
        theirs = _unit(self._all[scene].astype(np.float32))
        rest = beyond_scene(ours, theirs)
        order = np.argsort(-rest)[:_NEAREST]
        self.nearest.append(scene[order[rest[order] >= _NEAREST_FROM]])

    def _likeness(self, asked: Float32[np.ndarray, "q d"]) -> Float32[np.ndarray, "q n"]:
        rows = [
            asked @ _unit(self._all[start : start + _BLOCK].astype(np.float32)).T
            for start in range(0, len(self._all), _BLOCK)
        ]
        likeness: Float32[np.ndarray, "q n"] = np.concatenate(rows, axis=1)
        return likeness


def beyond_scene(
    ours: Float32[np.ndarray, "1 p"], theirs: Float32[np.ndarray, "m p"]
) -> Float32[np.ndarray, " m"]:
    """How much each of a scene's pictures is like one once the scene is taken away, in [-1, 1]."""
    mean = theirs.mean(axis=0)
    # a picture does not count for the mean that it loses: that would set it against all others
    left = theirs - (mean * len(theirs) - theirs) / (len(theirs) - 1)
    rest: Float32[np.ndarray, " m"] = (_unit(ours - mean) * _unit(left)).sum(axis=1)
    return rest


def _most(likeness: Float32[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """The most alike of those that lie alike, the nearest first."""
    kept = min(SCENE_MOST, len(likeness))
    found = np.argpartition(-likeness, kept - 1)[:kept]
    found = found[likeness[found] >= LIES_ALIKE_FROM]
    ordered: Int[np.ndarray, " m"] = found[np.argsort(-likeness[found])]
    return ordered


class Groups:
    """Which pictures may be compared with which: those of other groups, in one set of parts."""

    def __init__(self, samples: Sequence[int], groups: Sequence[int], sets: Sequence[int]) -> None:
        self._samples, self._groups, self._sets = (np.array(one) for one in (samples, groups, sets))

    def others(self, item: int) -> Bool[np.ndarray, " n"]:
        """Pictures that one may be compared with."""
        others: Bool[np.ndarray, " n"] = (self._groups != self._groups[item]) & (
            self._sets == self._sets[item]
        )
        return others

    def other_samples(self, item: int) -> Bool[np.ndarray, " n"]:
        """Pictures of other samples of its set, of its group too."""
        others: Bool[np.ndarray, " n"] = (self._samples != self._samples[item]) & (
            self._sets == self._sets[item]
        )
        return others


def _unit(rows: Float32[np.ndarray, "m p"]) -> Float32[np.ndarray, "m p"]:
    unit: Float32[np.ndarray, "m p"] = rows / np.maximum(
        np.linalg.norm(rows, axis=1, keepdims=True), 1e-6
    )
    return unit
