"""Pairs of pictures that show one thing: copies of one photograph, or photographs taken again."""

from collections.abc import Callable, Iterator, Mapping

import cv2
import numpy as np
from jaxtyping import Int

from bearing_search.data_checks.matching.album import Album
from bearing_search.data_checks.matching.comparison import Comparison, Match
from bearing_search.data_checks.matching.frames import SCENE_FROM
from bearing_search.data_checks.matching.images.keypoints import (
    Keypoints,
    mirrored_sift,
    quick_keypoints,
    sift_keypoints,
)
from bearing_search.data_checks.matching.images.registration import Warp, mirror, similarity
from bearing_search.data_checks.matching.scenes import Groups
from bearing_search.data_checks.matching.votes import VoteIndex

_BLOCK = 64
_LEAST_VOTES = 12
_VOTES_OVER_USUAL = 4.0
_VOTES_IN_SCENE = 1.3
_VOTED_IN_SCENES = 2
_VOTED_ALONE = 4
_VOTES_READ = 40
_MOST_LONERS = 0.6
_MOST_SCENES = 24
_ONE_PLACE = 6
_PLACED = 3


def matches(
    album: Album, groups: Groups, *, on_progress: Callable[[float], None] = lambda share: None
) -> Iterator[Match]:
    """All pairs of pictures of different groups that show one thing.

    Args:
        on_progress: told which share is done.
    """
    if len(album.pictures) < 2:
        return
    search = _Search(album, groups)
    yield from search.all_pictures(on_progress)
    yield from search.loners()


class _Search:
    def __init__(self, album: Album, groups: Groups) -> None:
        self._album, self._groups = album, groups
        self._comparison = Comparison(album, groups)
        self._scenes = self._comparison.overviews.scenes

    def all_pictures(self, on_progress: Callable[[float], None]) -> Iterator[Match]:
        """Matches among pictures that lie alike, or share keypoints however they are turned."""
        album = self._album
        index = VoteIndex([picture.shown.codes for picture in album.pictures])
        for start in range(0, len(album.asked), _BLOCK):
            block = album.asked[start : start + _BLOCK]
            plain = [album.pictures[item].shown.keypoints for item in block]
            mirrored = [quick_keypoints(cv2.flip(album.thumbnail(item), 1)) for item in block]
            votes = [index.votes([one.codes for one in found]) for found in (plain, mirrored)]
            for row, item in enumerate(block):
                for other in self._comparison.overviews.nearest[item]:
                    yield from self._comparison.lying_alike(item, int(other))
                for other, is_mirrored in self._voted(item, votes[0][row], votes[1][row]):
                    asked = (mirrored if is_mirrored else plain)[row]
                    yield from self._turned(item, other, asked, is_mirrored=is_mirrored)
            on_progress(min(1.0, (start + len(block)) / len(album.asked)))

    def loners(self) -> Iterator[Match]:
        """Matches of the few pictures that lie like no other, by better and dearer keypoints.

        Where most pictures lie like no other, nothing is unusual about those.
        """
        explained, asked = self._comparison.explained, self._album.asked
        loners = [i for i in asked if not len(self._scenes[i]) and i not in explained]
        if not loners or len(loners) > _MOST_LONERS * len(asked):
            return
        known = {one: sift_keypoints(self._album.thumbnail(one)) for one in self._typical()}
        for item in loners:
            for other, warp in self._placed(item, known):
                if item not in explained:
                    yield from self._comparison.in_frame_of(item, other, warp)

    def _placed(self, item: int, known: Mapping[int, Keypoints]) -> list[tuple[int, Warp]]:
        """The pictures over which one can be laid best, by SIFT, and how."""
        thumbnail = self._album.thumbnail(item)
        ours, width = sift_keypoints(thumbnail), thumbnail.shape[1]
        mirrored = mirrored_sift(ours, width)
        placed: list[tuple[int, int, Warp]] = []
        for other in known:
            if not self._groups.other_samples(item)[other]:
                continue
            for points, is_mirrored in ((ours, False), (mirrored, True)):
                found = similarity(points, known[other])
                if found is not None:
                    warp = found.warp @ mirror(width) if is_mirrored else found.warp
                    placed.append((found.inliers, other, warp))
        placed.sort(key=lambda one: -one[0])
        return [(other, warp) for _, other, warp in placed[:_PLACED]]

    def _typical(self) -> list[int]:
        """One picture for each scene, the largest scenes first."""
        left = {i for i, scene in enumerate(self._scenes) if len(scene)}
        found: list[int] = []
        for item in sorted(left, key=lambda i: (-len(self._scenes[i]), i)):
            if item in left and len(found) < _MOST_SCENES:
                found.append(item)
                left -= {
                    item,
                    *(int(one) for one in self._scenes[item][:_ONE_PLACE]),
                }
        return found

    def _voted(
        self, item: int, plain: Int[np.ndarray, " n"], mirrored: Int[np.ndarray, " n"]
    ) -> list[tuple[int, bool]]:
        """The few pictures with far more votes than is usual, and whether they are mirrored."""
        allowed = self._groups.other_samples(item)
        votes = np.stack([plain, mirrored]) * allowed
        usual = votes[:, allowed]
        if not usual.size:
            return []
        least = max(_LEAST_VOTES, float(np.median(usual) + _VOTES_OVER_USUAL * usual.std()))
        least = min(least, max(_LEAST_VOTES, 0.5 * float(usual.max())))
        order = np.argsort(-votes, axis=None)[:_VOTES_READ]
        found = [(int(at) // votes.shape[1], int(at) % votes.shape[1]) for at in order]
        common = float(np.median([votes[at] for at in found[:8]]))
        in_scenes: list[tuple[int, bool]] = []
        alone: list[tuple[int, bool]] = []
        for is_mirrored, other in found:
            given = votes[is_mirrored, other]
            if given < least:
                break
            if given < _VOTES_IN_SCENE * common and self._comparison.is_in_place(item, other):
                continue
            kept = in_scenes if len(self._scenes[other]) else alone
            kept.append((other, bool(is_mirrored)))
        return in_scenes[:_VOTED_IN_SCENES] + alone[:_VOTED_ALONE]

    def _turned(
        self, item: int, other: int, asked: Keypoints, *, is_mirrored: bool
    ) -> Iterator[Match]:
        if not is_mirrored and self._comparison.is_in_place(item, other):
            yield from self._comparison.lying_alike(item, other)
            if len(self._scenes[other]) >= SCENE_FROM:
                return
        if self._comparison.is_done(item, other):
            return
        found = similarity(asked, self._album.pictures[other].shown.keypoints)
        if found is not None:
            width = self._album.thumbnail(item).shape[1]
            warp = found.warp @ mirror(width) if is_mirrored else found.warp
            yield from self._comparison.in_frame_of(item, other, warp)
