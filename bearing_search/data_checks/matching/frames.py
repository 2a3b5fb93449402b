"""Thumbnails laid over each other, with the scene that several of them share taken away.

Axis letters: h, w rows and columns of a thumbnail.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32

from bearing_search.data_checks.matching.album import Album
from bearing_search.data_checks.matching.images.registration import (
    SATURATED,
    WEAKEST,
    Warp,
    agreement,
    laid_over,
    structure,
)
from bearing_search.data_checks.matching.scenes import Overviews, beyond_scene

SCENE_FROM = 4
"""Other pictures of a scene from which it can be taken away."""

_SCENE_USED = 8
_KEPT_STRUCTURES = 96


class Laid(NamedTuple):
    """A thumbnail in the frame of another one."""

    structure: Float32[np.ndarray, "h w"]
    covers: Bool[np.ndarray, "h w"]


class Frames:
    """Compares pictures of an album in the frame of one of them."""

    def __init__(self, album: Album, overviews: Overviews) -> None:
        self._album, self._overviews = album, overviews
        self._structure = lru_cache(_KEPT_STRUCTURES)(self._made)

    def laid(self, item: int, other: int, warp: Warp) -> Laid:
        """A picture in the frame of another.

        Args:
            warp: from the first thumbnail to the other.
        """
        frame = self._album.thumbnail(other)
        moved, covers = laid_over(self._album.thumbnail(item), np.linalg.inv(warp), frame.shape)
        return Laid(structure(moved) * covers, covers & (frame < SATURATED))

    def agreement(self, laid: Laid, other: int, *, weakest: float = WEAKEST) -> float:
        """How well a laid picture agrees with the one whose frame it is in, in [-1, 1]."""
        return agreement(laid.structure, self._structure(other), laid.covers, weakest=weakest)

    def beyond_scene(self, laid: Laid, item: int, other: int) -> float | None:
        """The same without the scene; None where too few others show it.

        Each of the two loses the mean of other pictures: one mean would be common to both.
        """
        scene = self._scene(item, other)[:_SCENE_USED]
        if len(scene) < SCENE_FROM:
            return None
        shown = [self._structure(one) for one in scene]
        first = laid.structure - np.mean(shown[0::2], axis=0)
        second = self._structure(other) - np.mean(shown[1::2], axis=0)
        return agreement(first, second, laid.covers)

    def nearest(
        self, laid: Laid, item: int, other: int, allowed: np.ndarray, most: int
    ) -> list[int]:
        """Pictures that lie like the other one, the nearest to a laid picture beyond the scene."""
        scene = [other, *self._scene(item, other)]
        inside = laid.covers
        if len(scene) < SCENE_FROM or not inside.any():
            return [one for one in scene if allowed[one]][:most]
        ours = laid.structure[inside][None]
        rest = beyond_scene(
            _unit(ours), _unit(np.stack([self._structure(one)[inside] for one in scene]))
        )
        ordered = [scene[at] for at in np.argsort(-rest)]
        return [one for one in ordered if allowed[one]][:most]

    def _scene(self, item: int, other: int) -> list[int]:
        owners, shape = self._album.owners, self._album.thumbnail(other).shape
        return [
            int(one)
            for one in self._overviews.scenes[other]
            if owners[one] != owners[item] and self._album.thumbnail(int(one)).shape == shape
        ]

    def _made(self, item: int) -> Float32[np.ndarray, "h w"]:
        return structure(self._album.thumbnail(item).astype(np.float32))


def _unit(rows: np.ndarray) -> np.ndarray:
    unit: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return unit
