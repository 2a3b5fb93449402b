"""Compares pictures that may show one thing, first by their thumbnails, then at full size."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from bearing_search.data_checks.matching.album import Album
from bearing_search.data_checks.matching.frames import Frames, Laid
from bearing_search.data_checks.matching.images.detail import shared_detail
from bearing_search.data_checks.matching.images.registration import (
    Warp,
    refined,
    rescaled,
    shifted,
)
from bearing_search.data_checks.matching.scenes import Groups, Overviews

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

_ALL_ALIKE_FROM = 0.4
"""Agreement, in all but the weakest twentieth, from which they are compared even so."""

_NEAREST = 2
_ATTEMPTS = 2


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


class Comparison:
    """Compares pairs of pictures of an album, each a few times at most."""

    def __init__(self, album: Album, groups: Groups) -> None:
        self._album, self._groups = album, groups
        self.overviews = Overviews([p.shown.overview for p in album.pictures], groups)
        self._frames = Frames(album, self.overviews)
        self._attempts: Counter[tuple[int, int]] = Counter()
        self._known: set[tuple[int, int]] = set()
        self.explained: set[int] = set()
        """Pictures that are copies of one in a scene; copies of one picture find each other too."""

    def lying_alike(self, item: int, other: int) -> Iterator[Match]:
        """The two as a match, as they lie."""
        pair = self._pair(item, other)
        if self._attempts[pair] or not self.is_in_place(item, other):
            return
        if not self._groups.others(item)[other]:
            return
        first, second = self._album.thumbnail(item), self._album.thumbnail(other)
        warp = shifted(first, second)
        if self._is_worth_a_look(item, other, warp, slack=0.5):
            yield from self._compared(item, other, refined(first, second, warp))

    def in_frame_of(self, item: int, other: int, warp: Warp) -> Iterator[Match]:
        """Matches of a picture with those that lie like one over which it can be laid."""
        warp, laid = self._refined(item, other, warp)
        if self._frames.agreement(laid, other) < 0.5 * _ALIKE_FROM:
            return
        allowed = self._groups.others(item)
        for candidate in self._frames.nearest(laid, item, other, allowed=allowed, most=_NEAREST):
            if self.is_done(item, candidate):
                continue
            better = warp if candidate == other else self._refined(item, candidate, warp)[0]
            yield from self._compared(item, candidate, better)

    def is_in_place(self, item: int, other: int) -> bool:
        """Whether two pictures may lie over each other as they are."""
        sizes = [self._album.pictures[one].shown.size for one in (item, other)]
        return sizes[0] == sizes[1] and self.overviews.lie_alike(item, other)

    def is_done(self, item: int, other: int) -> bool:
        """Whether two pictures were compared often enough."""
        return self._attempts[self._pair(item, other)] >= _ATTEMPTS

    def _pair(self, item: int, other: int) -> tuple[int, int]:
        return min(item, other), max(item, other)

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
        return self._frames.agreement(laid, other, weakest=_AGAIN_WEAKEST) >= _ALL_ALIKE_FROM

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
            self.explained |= {
                one for one, by in ((item, other), (other, item)) if len(self.overviews.scenes[by])
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
