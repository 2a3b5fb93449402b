"""Pairs of pictures that show one thing: copies of one photograph, or photographs taken again."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Int

from bearing_search.data_checks.matching.album import Album
from bearing_search.data_checks.matching.detail import shared_detail
from bearing_search.data_checks.matching.frames import Frames, Laid
from bearing_search.data_checks.matching.keypoints import (
    Keypoints,
    mirrored_sift,
    quick_keypoints,
    sift_keypoints,
)
from bearing_search.data_checks.matching.registration import (
    Warp,
    mirror,
    refined,
    rescaled,
    shifted,
    similarity,
)
from bearing_search.data_checks.matching.scenes import Groups, Overviews
from bearing_search.data_checks.matching.votes import VoteIndex

AGAIN_FROM = 0.2
"""Agreement of two thumbnails, in all but their weakest twentieth, that shows one thing."""

_AGAIN_SHARE_FROM = 0.42
"""Share of the finest detail that photographs of one thing have in common at least."""

_AGAIN_WEAKEST = 0.05
_ALIKE_FROM = 0.3
"""Agreement of two thumbnails, in all but their weakest fifth, from which they are compared."""

_ALIKE_IN_SCENE_FROM = 0.45
"""The same where they lie like others, which agree to some extent all the same."""

_BEYOND_SCENE_FROM = 0.02
"""The same where that scene is taken away."""

_BLOCK = 64
_LEAST_VOTES = 12
_VOTES_OVER_USUAL = 4.0
_VOTES_IN_SCENE = 1.3
_VOTED_IN_SCENES = 2
_VOTED_ALONE = 4
_VOTES_READ = 40
_NEAREST = 2
_MOST_LONERS = 0.6
_ATTEMPTS = 2
_MOST_SCENES = 24
_ONE_PLACE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Two pictures, by number, that show one thing."""

    first: int
    second: int
    warp: Warp
    """From the thumbnail of the first to that of the second."""

    agreement: float
    """Of the thumbnails, in [-1, 1]."""

    share: float
    """Of the finest detail that a copy would keep, in [0, 1]; see `detail`."""

    is_copy: bool


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
        self._overviews = Overviews([p.shown.overview for p in album.pictures], groups)
        self._frames = Frames(album, self._overviews)
        self._attempts: Counter[tuple[int, int]] = Counter()
        self._explained: set[int] = set()
        """Pictures that are copies of one in a scene; copies of one picture find each other too."""

        self._known: set[tuple[int, int]] = set()

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
                for other in self._overviews.nearest[item]:
                    yield from self._lying_alike(item, int(other))
                for other, is_mirrored in self._voted(item, votes[0][row], votes[1][row]):
                    asked = (mirrored if is_mirrored else plain)[row]
                    yield from self._turned(item, other, asked, is_mirrored=is_mirrored)
            on_progress(min(1.0, (start + len(block)) / len(album.asked)))

    def loners(self) -> Iterator[Match]:
        """Matches of the few pictures that lie like no other, by better and dearer keypoints.

        Where most pictures lie like no other, nothing is unusual about those.
        """
        scenes = self._overviews.scenes
        loners = [i for i in self._album.asked if not len(scenes[i]) and i not in self._explained]
        if not loners or len(loners) > _MOST_LONERS * len(self._album.asked):
            return
        typical = self._typical()
        known = {one: sift_keypoints(self._album.thumbnail(one)) for one in typical}
        for item in loners:
            ours = sift_keypoints(self._album.thumbnail(item))
            width = self._album.thumbnail(item).shape[1]
            mirrored = mirrored_sift(ours, width)
            for other in typical:
                if item in self._explained or not self._groups.other_samples(item)[other]:
                    continue
                for points, is_mirrored in ((ours, False), (mirrored, True)):
                    warp = similarity(points, known[other])
                    if warp is not None:
                        warp = warp @ mirror(width) if is_mirrored else warp
                        yield from self._in_frame_of(item, other, warp)

    def _typical(self) -> list[int]:
        """One picture for each scene, the largest scenes first."""
        left = {i for i, scene in enumerate(self._overviews.scenes) if len(scene)}
        found: list[int] = []
        for item in sorted(left, key=lambda i: (-len(self._overviews.scenes[i]), i)):
            if item in left and len(found) < _MOST_SCENES:
                found.append(item)
                left -= {item, *(int(one) for one in self._overviews.scenes[item][:_ONE_PLACE])}
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
            if given < _VOTES_IN_SCENE * common and self._is_in_place(item, other):
                continue
            kept = in_scenes if len(self._overviews.scenes[other]) else alone
            kept.append((other, bool(is_mirrored)))
        return in_scenes[:_VOTED_IN_SCENES] + alone[:_VOTED_ALONE]

    def _turned(
        self, item: int, other: int, asked: Keypoints, *, is_mirrored: bool
    ) -> Iterator[Match]:
        if not is_mirrored and self._is_in_place(item, other):
            yield from self._lying_alike(item, other)
        if self._attempts[self._pair(item, other)] >= _ATTEMPTS:
            return
        warp = similarity(asked, self._album.pictures[other].shown.keypoints)
        if warp is None:
            return
        if is_mirrored:
            warp = warp @ mirror(self._album.thumbnail(item).shape[1])
        yield from self._in_frame_of(item, other, warp)

    def _lying_alike(self, item: int, other: int) -> Iterator[Match]:
        pair = self._pair(item, other)
        if self._attempts[pair] or not self._is_in_place(item, other):
            return
        if not self._groups.others(item)[other]:
            return
        first, second = self._album.thumbnail(item), self._album.thumbnail(other)
        warp = shifted(first, second)
        if self._is_worth_a_look(item, other, warp, slack=0.5):
            yield from self._compared(item, other, refined(first, second, warp))

    def _in_frame_of(self, item: int, other: int, warp: Warp) -> Iterator[Match]:
        """Matches of a picture with those that lie like one over which it can be laid."""
        warp, laid = self._refined(item, other, warp)
        if self._frames.agreement(laid, other) < 0.5 * _ALIKE_FROM:
            return
        allowed = self._groups.others(item)
        for candidate in self._frames.nearest(laid, item, other, allowed=allowed, most=_NEAREST):
            if self._attempts[self._pair(item, candidate)] >= _ATTEMPTS:
                continue
            better = warp if candidate == other else self._refined(item, candidate, warp)[0]
            yield from self._compared(item, candidate, better)

    def _refined(self, item: int, other: int, warp: Warp) -> tuple[Warp, Laid]:
        """The warp, improved if that makes the two agree better, and what is laid over by it."""
        better = refined(self._album.thumbnail(item), self._album.thumbnail(other), warp)
        tried = [(one, self._frames.laid(item, other, one)) for one in (warp, better)]
        return max(tried, key=lambda one: self._frames.agreement(one[1], other))

    def _is_worth_a_look(self, item: int, other: int, warp: Warp, *, slack: float = 1.0) -> bool:
        laid = self._frames.laid(item, other, warp)
        alike = self._frames.agreement(laid, other)
        if alike < slack * _ALIKE_FROM:
            return False
        rest = self._frames.beyond_scene(laid, item, other)
        if rest is None:
            return True
        if rest >= _BEYOND_SCENE_FROM:
            return alike >= slack * _ALIKE_IN_SCENE_FROM
        return self._frames.agreement(laid, other, weakest=_AGAIN_WEAKEST) >= AGAIN_FROM

    def _compared(self, item: int, other: int, warp: Warp) -> Iterator[Match]:
        """The two as a match, if their thumbnails agree; samples known as copies are not asked."""
        owners = self._album.owners[[item, other]]
        if (int(owners.min()), int(owners.max())) in self._known:
            return
        if not self._is_worth_a_look(item, other, warp):
            return
        self._attempts[self._pair(item, other)] += 1
        album = self._album
        detail = shared_detail(
            album.image(item),
            album.image(other),
            rescaled(warp, album.enlargement(item), album.enlargement(other)),
            qualities=(album.quality(item), album.quality(other)),
        )
        laid = self._frames.laid(item, other, warp)
        score = self._frames.agreement(laid, other, weakest=_AGAIN_WEAKEST)
        if detail.is_copy:
            self._explained |= {
                one for one, by in ((item, other), (other, item)) if len(self._overviews.scenes[by])
            }
            self._known.add((int(owners.min()), int(owners.max())))
        if detail.is_copy or (score >= AGAIN_FROM and detail.share >= _AGAIN_SHARE_FROM):
            self._attempts[self._pair(item, other)] = _ATTEMPTS
            yield Match(
                first=item,
                second=other,
                warp=warp,
                agreement=score,
                share=detail.share,
                is_copy=detail.is_copy,
            )

    def _is_in_place(self, item: int, other: int) -> bool:
        """Whether two pictures may lie over each other as they are."""
        sizes = [self._album.pictures[one].shown.size for one in (item, other)]
        return sizes[0] == sizes[1] and self._overviews.lie_alike(item, other)

    def _pair(self, item: int, other: int) -> tuple[int, int]:
        return min(item, other), max(item, other)
