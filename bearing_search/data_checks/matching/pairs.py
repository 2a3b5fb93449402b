"""Pairs of pictures that show one thing: copies of one photograph, or photographs taken again.

Pictures that lie alike are compared as they are. Those that share keypoints are laid over each
other first. A picture that lies like no other, although most do, may be a turned copy of any: it is
laid over one of each place, and compared with all that lie like that one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from bearing_search.data_checks.matching.album import Album
from bearing_search.data_checks.matching.chains import chained
from bearing_search.data_checks.matching.comparison import Comparison, Match
from bearing_search.data_checks.matching.frames import SCENE_FROM
from bearing_search.data_checks.matching.images.registration import Warp, mirror, similarity
from bearing_search.data_checks.matching.images.spectra import placings
from bearing_search.data_checks.matching.scenes import Groups
from bearing_search.data_checks.matching.votes import VoteIndex, Votes

_LEAST_VOTES = 6
_VOTES_OVER_USUAL = 2.0
_VOTED = 4
_VOTED_FOR_LONER = 8
_MOST_LONERS = 0.6
_MOST_PLACES = 24
_ONE_PLACE = 3
_WAYS = 4
_TRIED = 5
_TRIED_LONERS = 2
_FEW = 0.3
_AS_THEY_LIE = 3
_SAME_PX = 12.0
_LEAST_AGREEMENT = 0.4


class Proposal(NamedTuple):
    """A picture that another one may show, by number."""

    other: int
    is_mirrored: bool
    is_settled: bool
    """Whether they are compared as they lie only."""


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
    copies: list[Match] = []
    for item in range(len(album.pictures)):
        for found in search.matches_of(item):
            copies += [found] if found.is_copy else []
            yield found
        on_progress((item + 1) / len(album.pictures))
    yield from chained(copies, search.compared)


class _Search:
    def __init__(self, album: Album, groups: Groups) -> None:
        self._album, self._groups = album, groups
        self._comparison = Comparison(album, groups)
        self._scenes = self._comparison.overviews.scenes
        self._votes = VoteIndex([picture.shown.keypoints for picture in album.pictures])
        self._loners = self._unusual()
        self._places = self._typical()

    def compared(self, item: int, other: int, warp: Warp) -> list[Match]:
        """The two as a match, laid over each other by a warp."""
        if not self._groups.others(item)[other]:
            return []
        return self._comparison.laid_over(item, other, warp)

    def matches_of(self, item: int) -> Iterator[Match]:
        """All that is found for one picture."""
        done: set[int] = set()
        for other in self._comparison.overviews.nearest[item]:
            found = self._comparison.lying_alike(item, int(other))
            if found or self._is_settled(item, int(other)):
                done.add(int(other))
            yield from found
        proposed = [one for one in self._voted(item) if one.other not in done]
        for one in proposed:
            if one.is_settled:
                yield from self._comparison.lying_alike(item, one.other)
        proposed = [one for one in proposed if not one.is_settled]
        places = self._places if item in self._loners else []
        yield from self._laid(item, proposed, places)

    def _laid(
        self, item: int, proposed: Iterable[Proposal], places: Iterable[int]
    ) -> Iterator[Match]:
        """Matches with pictures over which one can be laid, the best ways first, up to a copy."""
        others = {one.other for one in proposed}
        ways = [way for one in proposed for way in self._by_keypoints(item, one)]
        allowed = self._groups.other_samples(item)
        for other in sorted(others | {one for one in places if allowed[one]}):
            found = placings(self._album.shrunk(item), self._album.shrunk(other))
            ways += [
                (one.agreement, other, one.warp)
                for one in found[:_WAYS]
                if one.agreement >= _LEAST_AGREEMENT
            ]
        ways.sort(key=lambda way: -way[0])
        for is_loner, most in ((False, _TRIED), (True, _TRIED_LONERS)):
            chosen = self._distinct(item, [w for w in ways if (w[1] in self._loners) == is_loner])
            for other, warp in islice(chosen, most):
                found_here = self._comparison.in_frame_of(item, other, warp)
                yield from found_here
                if any(one.is_copy for one in found_here):
                    return

    def _distinct(
        self, item: int, ways: Sequence[tuple[float, int, Warp]]
    ) -> Iterator[tuple[int, Warp]]:
        """The ways without those that repeat one: over a picture that lies alike, by one warp."""
        height, width = self._album.thumbnail(item).shape
        places = np.array([[0.0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
        kept: list[tuple[int, np.ndarray]] = []
        for _, other, warp in ways:
            lies = (warp @ places)[:2]
            scene = {other, *(int(one) for one in self._scenes[other])}
            if not any(one in scene and np.abs(lies - at).max() < _SAME_PX for one, at in kept):
                kept.append((other, lies))
                yield other, warp

    def _by_keypoints(self, item: int, proposal: Proposal) -> list[tuple[float, int, Warp]]:
        """How one can be laid over another by the keypoints that they share."""
        ours, width = (
            self._album.pictures[item].shown.keypoints,
            self._album.thumbnail(item).shape[1],
        )
        theirs = self._album.pictures[proposal.other].shown.keypoints
        found = similarity(ours.mirrored(width) if proposal.is_mirrored else ours, theirs)
        if found is None:
            return []
        warp = found.warp @ mirror(width) if proposal.is_mirrored else found.warp
        return [(1.0, proposal.other, warp)]

    def _unusual(self) -> set[int]:
        """Pictures that lie like few others, where most lie like many.

        Where most pictures lie like no other, nothing is unusual about those.
        """
        sizes = np.array([len(scene) for scene in self._scenes])
        for least in (_FEW * sizes.max(), 4, 2, 1):
            loners = np.flatnonzero(sizes < least)
            if len(loners) <= _MOST_LONERS * len(sizes):
                return {int(one) for one in loners}
        return set()

    def _typical(self) -> list[int]:
        """A few pictures of each scene, the largest scenes first."""
        left = {i for i, scene in enumerate(self._scenes) if len(scene)} - self._loners
        found: list[int] = []
        for item in sorted(left, key=lambda i: (-len(self._scenes[i]), i)):
            if item in left and len(found) < _MOST_PLACES:
                found.append(item)
                left -= {item, *(int(one) for one in self._scenes[item][: _ONE_PLACE - 1])}
        return found

    def _is_settled(self, item: int, other: int) -> bool:
        """Whether two pictures lie alike as many do, so that they are compared as they lie only."""
        in_place = self._comparison.is_in_place(item, other)
        return in_place and len(self._scenes[other]) >= SCENE_FROM

    def _voted(self, item: int) -> list[Proposal]:
        """The few pictures with far more votes than is usual."""
        allowed = self._groups.other_samples(item)
        if not allowed.any():
            return []
        keypoints = self._album.pictures[item].shown.keypoints
        width = self._album.thumbnail(item).shape[1]
        given: list[Votes] = [
            self._votes.votes(keypoints),
            self._votes.votes(keypoints.mirrored(width)),
        ]
        counts = np.stack([votes.counts for votes in given]) * allowed
        best = counts.max(axis=0)
        usual = best[allowed]
        least = max(_LEAST_VOTES, float(np.median(usual) + _VOTES_OVER_USUAL * (usual.std() + 1)))
        most = _VOTED
        if item in self._loners:
            least, most = _LEAST_VOTES, _VOTED_FOR_LONER
        found: list[Proposal] = []
        for other in np.argsort(-best, kind="stable")[: 4 * most]:
            # in a small set the one that stands out makes itself usual
            if best[other] < (least if found else _LEAST_VOTES):
                break
            is_mirrored = bool(counts[1, other] > counts[0, other])
            upright = not is_mirrored and bool(given[0].is_upright[other])
            is_settled = upright and self._is_settled(item, int(other))
            found.append(Proposal(int(other), is_mirrored, is_settled))
        # of those that lie alike a few are enough to say so
        as_they_lie = [one for one in found if one.is_settled and self._may_match(item, one.other)]
        return as_they_lie[:_AS_THEY_LIE] + [one for one in found if not one.is_settled][:most]

    def _may_match(self, item: int, other: int) -> bool:
        return bool(self._groups.others(item)[other])
