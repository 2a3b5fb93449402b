"""Copies, as findings: which of them are leaks, and what to do."""

from collections.abc import Callable, Iterator, Set
from dataclasses import replace

from bearing_search.data_checks.findings import Finding, image_of
from bearing_search.data_checks.matching.album import Album
from bearing_search.data_checks.matching.comparison import Match
from bearing_search.data_checks.matching.images.pose import how_turned, pose
from bearing_search.data_checks.matching.pairs import matches
from bearing_search.data_checks.matching.scenes import Groups
from bearing_search.data_checks.matching.taken_again import Again, taken_again

Pair = tuple[int, int]

_ACROSS = "the first in test, the second in train"


def copy_findings(
    album: Album,
    known: Set[Pair],
    *,
    together: bool,
    on_progress: Callable[[float], None],
) -> Iterator[Finding]:
    """Findings on samples of different groups that show one thing.

    Args:
        known: pairs of positions of samples that share a file, the smaller first.
        together: compare every part with every other, not each with itself.
        on_progress: told which share is done.
    """
    samples = album.samples
    copies: dict[Pair, Match] = {}
    again: dict[Pair, Match] = {}
    for match in matches(album, _groups(album, together=together), on_progress=on_progress):
        pair = _owners(album, match)
        kept = copies if match.is_copy else again
        if pair not in known and (pair not in kept or match.share > kept[pair].share):
            kept[pair] = match
    for pair in sorted(copies):
        yield _copied(album, _test_first(album, copies[pair]))
    copied = {position for pair in (*copies, *known) for position in pair}
    left = {pair: one for pair, one in again.items() if not copied & set(pair)}
    yield from taken_again(samples, {pair: _again(album, one) for pair, one in left.items()})


def _groups(album: Album, *, together: bool) -> Groups:
    samples = album.samples
    numbers: dict[tuple[str, ...], int] = {}

    def number(*name: str) -> int:
        return numbers.setdefault(name, len(numbers))

    owned = [samples[owner] for owner in album.owners]
    return Groups(
        samples=album.owners.tolist(),
        groups=[number("group", one.part, one.group) for one in owned],
        sets=[number("set", "" if together else one.part) for one in owned],
    )


def _owners(album: Album, match: Match) -> Pair:
    first, second = (int(album.owners[item]) for item in (match.first, match.second))
    return min(first, second), max(first, second)


def _test_first(album: Album, match: Match) -> tuple[Match, bool]:
    """A match with the test sample first, else the earlier one, and whether that reversed it."""
    first, second = (album.samples[album.owners[item]] for item in (match.first, match.second))
    ours = (first.split != "test", int(album.owners[match.first]))
    theirs = (second.split != "test", int(album.owners[match.second]))
    if ours < theirs:
        return match, False
    reversed_ = replace(
        match, first=match.second, second=match.first, levels=(match.levels[1], match.levels[0])
    )
    return reversed_, True


def _pose(match: Match, is_reversed: bool) -> tuple[float, bool]:
    turn_deg, is_mirrored = pose(match.warp)
    # mirrored first, then turned: its inverse turns the same way
    return (-turn_deg if is_reversed and not is_mirrored else turn_deg), is_mirrored


def _copied(album: Album, ordered: tuple[Match, bool]) -> Finding:
    match, is_reversed = ordered
    one, other = (album.samples[album.owners[item]] for item in (match.first, match.second))
    crosses = one.split != other.split
    turn_deg, is_mirrored = _pose(match, is_reversed)
    how = how_turned(turn_deg, is_mirrored=is_mirrored)
    where = _ACROSS if crosses else f"both in {one.split}, in different groups"
    return Finding(
        severity="leak" if crosses else "warning",
        kind="copy",
        part=one.part,
        text=f"{one.title} and {other.title}: one photograph{f', {how}' if how else ''}, {where} "
        f"(evidence {match.share:.2f} of 1)",
        advice="Remove one of them",
        samples=(one.title, other.title),
        files=_shown(album, match),
        turn_deg=turn_deg,
        is_mirrored=is_mirrored,
        evidence=round(match.share, 4),
    )


def _again(album: Album, found: Match) -> Again:
    match, is_reversed = _test_first(album, found)
    turn_deg, is_mirrored = _pose(match, is_reversed)
    return Again(
        pair=(int(album.owners[match.first]), int(album.owners[match.second])),
        agreement=match.agreement,
        files=_shown(album, match),
        turn_deg=turn_deg,
        is_mirrored=is_mirrored,
    )


def _shown(album: Album, match: Match) -> tuple[str, str]:
    """Images to look at: the levels that agreed, or the brightest ones where those are alike."""
    first, second = (album.pictures[item].owner for item in (match.first, match.second))
    levels = match.levels if match.levels[0] != match.levels[1] else (0, 0)
    return (
        image_of(album.samples[first], levels[0]),
        image_of(album.samples[second], levels[1]),
    )
