"""Compares pictures that may show one thing, first by their thumbnails, then at full size."""

from dataclasses import dataclass

from bearing_search.data_checks.matching.album import Album
from bearing_search.data_checks.matching.frames import Frames, Laid
from bearing_search.data_checks.matching.images.detail import (
    NOTHING,
    SharedDetail,
    shared_detail,
)
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

_SAME_THING_FROM = 0.2
"""Share of the finest detail from which other brightness levels are compared, too."""

_NEAREST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Two pictures, by number, that show one thing."""

    first: int
    second: int
    levels: tuple[int, int]
    """Brightness of each that agreed best."""

    warp: Warp
    """From the thumbnail of the first to that of the second."""

    agreement: float
    """Of the thumbnails, in [-1, 1]."""

    share: float
    """Of the finest detail that a copy would keep, in [0, 1]; see `detail`."""

    is_copy: bool


class Comparison:
    """Compares pairs of pictures of an album; what it says of a pair depends on nothing else."""

    def __init__(self, album: Album, groups: Groups) -> None:
        self._album, self._groups = album, groups
        self.overviews = Overviews([p.shown.overview for p in album.pictures], groups)
        self._frames = Frames(album, self.overviews)

    def lying_alike(self, item: int, other: int) -> list[Match]:
        """The two as a match, as they lie."""
        if not self.is_in_place(item, other) or not self._groups.others(item)[other]:
            return []
        first, second = self._album.thumbnail(item), self._album.thumbnail(other)
        warp = shifted(first, second)
        if not self._is_worth_a_look(item, other, warp, slack=0.5):
            return []
        return self._compared(item, other, refined(first, second, warp))

    def in_frame_of(self, item: int, other: int, warp: Warp) -> list[Match]:
        """Matches of a picture with those that lie like one over which it can be laid."""
        warp, laid = self._refined(item, other, warp)
        allowed = self._groups.others(item)
        found: list[Match] = []
        for candidate in self._frames.nearest(laid, item, other, allowed=allowed, most=_NEAREST):
            better = warp
            if candidate != other:
                # one place, but another thing: nothing but the candidate itself need agree
                laid = self._frames.laid(item, candidate, warp)
                if self._frames.agreement(laid, candidate) < 0.5 * _ALIKE_FROM:
                    continue
                better = self._refined(item, candidate, warp)[0]
            found += self._compared(item, candidate, better)
            if found and found[-1].is_copy:
                break
        return found

    def laid_over(self, item: int, other: int, warp: Warp) -> list[Match]:
        """The two as a match, laid over each other by a warp that is nearly right."""
        return self._compared(item, other, self._refined(item, other, warp)[0])

    def is_in_place(self, item: int, other: int) -> bool:
        """Whether two pictures may lie over each other as they are."""
        sizes = [self._album.pictures[one].shown.size for one in (item, other)]
        return sizes[0] == sizes[1] and self.overviews.lie_alike(item, other)

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

    def _compared(self, item: int, other: int, warp: Warp) -> list[Match]:
        """The two as a match, if their thumbnails agree."""
        if not self._is_worth_a_look(item, other, warp):
            return []
        detail, levels = self._detail(item, other, warp)
        laid = self._frames.laid(item, other, warp)
        score = self._frames.agreement(laid, other, weakest=_AGAIN_WEAKEST)
        if not detail.is_copy and (score < AGAIN_FROM or detail.share < _AGAIN_SHARE_FROM):
            return []
        return [
            Match(
                first=item,
                second=other,
                levels=levels,
                warp=warp,
                agreement=score,
                share=detail.share,
                is_copy=detail.is_copy,
            )
        ]

    def _detail(self, item: int, other: int, warp: Warp) -> tuple[SharedDetail, tuple[int, int]]:
        """What two pictures share at their first levels or, if that is some, at any."""
        ours, theirs = (
            range(album_level, self._album.num_levels(one))
            for one, album_level in (
                (item, self._album.pictures[item].level),
                (other, self._album.pictures[other].level),
            )
        )
        pairs = [(ours[0], theirs[0])]
        pairs += [(ours[0], level) for level in theirs[1:]]
        pairs += [(level, theirs[0]) for level in ours[1:]]
        best, at = NOTHING, pairs[0]
        for levels in pairs:
            found = self._shared(item, other, levels, warp)
            if found.is_copy or found.share > best.share:
                best, at = found, levels
            if best.is_copy or best.share < _SAME_THING_FROM:
                break
        return best, at

    def _shared(self, item: int, other: int, levels: tuple[int, int], warp: Warp) -> SharedDetail:
        album = self._album
        return shared_detail(
            album.image(item, levels[0]),
            album.image(other, levels[1]),
            rescaled(warp, album.enlargement(item), album.enlargement(other)),
            qualities=(album.quality(item, levels[0]), album.quality(other, levels[1])),
        )
