"""Pairs of pictures that show one thing: copies of one photograph, or photographs taken again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Int

from bearing_search.data_checks.matching.album import Album
from bearing_search.data_checks.matching.description import OVERVIEW_PX, overview_of
from bearing_search.data_checks.matching.detail import shared_detail
from bearing_search.data_checks.matching.registration import (
    Warp,
    agreement,
    laid_over,
    mirror,
    refined,
    rescaled,
    shifted,
    similarity,
)
from bearing_search.data_checks.matching.scenes import Groups, Overviews
from bearing_search.data_checks.matching.votes import VoteIndex

AGAIN_FROM = 0.5
"""Agreement of two thumbnails, in their weakest fifth, from which they show one thing."""

_WORTH_A_LOOK = 0.2
"""The same from which the pictures themselves are compared."""

_BLOCK = 64
_LEAST_VOTES = 12
_VOTES_OVER_USUAL = 4.0
_VOTED = 3
_NEAREST = 2


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
    yield from search.lying_alike()
    yield from search.turned(on_progress)


class _Search:
    def __init__(self, album: Album, groups: Groups) -> None:
        self._album, self._groups = album, groups
        self._overviews = Overviews([picture.shown.overview for picture in album.pictures])
        self._seen: set[tuple[int, int]] = set()

    def lying_alike(self) -> Iterator[Match]:
        """Matches among pictures that lie alike."""
        for item, nearest in self._overviews.nearest(self._groups, most=_NEAREST):
            for other in nearest:
                yield from self._compared(item, int(other), None)

    def turned(self, on_progress: Callable[[float], None]) -> Iterator[Match]:
        """Matches among pictures that share keypoints, however they are turned."""
        shown = [picture.shown for picture in self._album.pictures]
        index = VoteIndex([one.codes for one in shown])
        for start in range(0, len(shown), _BLOCK):
            block = shown[start : start + _BLOCK]
            plain = index.votes([one.codes for one in block])
            mirrored = index.votes([one.mirrored_codes for one in block])
            for row in range(len(block)):
                item = start + row
                for other, is_mirrored in self._voted(item, plain[row], mirrored[row]):
                    yield from self._turned_over(item, other, is_mirrored=is_mirrored)
            on_progress(min(1.0, (start + len(block)) / len(shown)))

    def _voted(
        self, item: int, plain: Int[np.ndarray, " n"], mirrored: Int[np.ndarray, " n"]
    ) -> list[tuple[int, bool]]:
        """The few pictures with far more votes than is usual, and whether they are mirrored."""
        allowed = self._groups.others(item)
        votes = np.stack([plain, mirrored]) * allowed
        usual = votes[:, allowed]
        if not usual.size:
            return []
        least = max(_LEAST_VOTES, float(np.median(usual) + _VOTES_OVER_USUAL * usual.std()))
        least = min(least, max(_LEAST_VOTES, 0.5 * float(usual.max())))
        order = np.argsort(-votes, axis=None)[:_VOTED]
        found = [np.unravel_index(int(flat), votes.shape) for flat in order]
        return [
            (int(other), bool(is_mirrored))
            for is_mirrored, other in found
            if votes[is_mirrored, other] >= least
        ]

    def _turned_over(self, item: int, other: int, *, is_mirrored: bool) -> Iterator[Match]:
        if self._pair(item, other) in self._seen:
            return
        ours, theirs = (self._album.pictures[i].shown for i in (item, other))
        points = (ours.mirrored_points, ours.mirrored_codes) if is_mirrored else (ours.points, ours.codes)
        warp = similarity(points, (theirs.points, theirs.codes))
        if warp is None:
            return
        if is_mirrored:
            warp = warp @ mirror(self._album.thumbnail(item).shape[1])
        for candidate in {other, *self._in_frame_of(item, other, warp)}:
            yield from self._compared(item, int(candidate), warp)

    def _in_frame_of(self, item: int, other: int, warp: Warp) -> list[int]:
        """Pictures that lie like the other one, nearest to what the first shows of their scene."""
        frame = self._album.thumbnail(other)
        moved, covers = laid_over(self._album.thumbnail(item), np.linalg.inv(warp), frame.shape)
        small = cv2.resize(
            covers.astype(np.float32), (OVERVIEW_PX, OVERVIEW_PX), interpolation=cv2.INTER_AREA
        )
        inside = cv2.erode((small > 0.99).astype(np.uint8), np.ones((5, 5), np.uint8)).ravel() > 0
        if inside.sum() < OVERVIEW_PX:
            return []
        found = self._overviews.alike(
            overview_of(moved), inside, self._groups.others(item), most=_NEAREST
        )
        return [int(one) for one in found]

    def _compared(self, item: int, other: int, warp: Warp | None) -> Iterator[Match]:
        """The two as a match, if their thumbnails agree; a pair is compared once."""
        if self._pair(item, other) in self._seen:
            return
        self._seen.add(self._pair(item, other))
        album = self._album
        first, second = album.thumbnail(item), album.thumbnail(other)
        if warp is None:
            if first.shape != second.shape:
                return
            warp = shifted(first, second)
            if agreement(first, second, warp) < _WORTH_A_LOOK / 2:
                return
        warp = refined(first, second, warp)
        score = agreement(first, second, warp)
        if score < _WORTH_A_LOOK:
            return
        detail = shared_detail(
            album.image(item),
            album.image(other),
            rescaled(warp, album.enlargement(item), album.enlargement(other)),
            qualities=(album.quality(item), album.quality(other)),
        )
        if detail.is_copy or score >= AGAIN_FROM:
            yield Match(
                first=item,
                second=other,
                warp=warp,
                agreement=score,
                share=detail.share,
                is_copy=detail.is_copy,
            )

    def _pair(self, item: int, other: int) -> tuple[int, int]:
        return min(item, other), max(item, other)
