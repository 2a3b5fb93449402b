"""Copies and photographs taken again, as findings: which of them are leaks, and what to do."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import replace

from bearing_search.data.samples import Sample
from bearing_search.data_checks.findings import Finding, image_of
from bearing_search.data_checks.matching.album import Album
from bearing_search.data_checks.matching.comparison import Match
from bearing_search.data_checks.matching.images.pose import how_turned, pose
from bearing_search.data_checks.matching.pairs import matches
from bearing_search.data_checks.matching.scenes import Groups

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
    for scene in _joined(left):
        best = max(
            (pair for pair in left if pair[0] in scene), key=lambda pair: left[pair].agreement
        )
        yield _again(album, _test_first(album, left[best]), [samples[one] for one in sorted(scene)])


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
    return replace(match, first=match.second, second=match.first), True


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


def _again(album: Album, ordered: tuple[Match, bool], shown: Sequence[Sample]) -> Finding:
    match, is_reversed = ordered
    one, other = (album.samples[album.owners[item]] for item in (match.first, match.second))
    turn_deg, is_mirrored = _pose(match, is_reversed)
    splits = [sample.split for sample in shown]
    crosses = len(set(splits)) > 1
    where = "on both sides" if crosses else f"all in {one.split}, in different groups"
    more = len(shown) - 2
    others = f" and {more} more" if more else ""
    counts = (
        f", {splits.count('train')} in train and {splits.count('test')} in test" if more else ""
    )
    return Finding(
        severity="warning",
        kind="again",
        part=one.part,
        text=f"{one.title} and {other.title}{others}: one thing photographed again, {where}"
        f"{counts} (agreement {match.agreement:.2f} of 1)",
        advice="If it is one thing, give them one group in manifest.csv"
        + (" and keep it on one side" if crosses else ""),
        samples=(one.title, other.title, *(s.title for s in shown if s not in (one, other))),
        files=_shown(album, match),
        turn_deg=turn_deg,
        is_mirrored=is_mirrored,
    )


def _shown(album: Album, match: Match) -> tuple[str, str]:
    """Images to look at: the levels that agreed, or the brightest ones where those are alike."""
    first, second = (album.pictures[item] for item in (match.first, match.second))
    levels = (first.level, second.level) if first.level != second.level else (0, 0)
    return (
        image_of(album.samples[first.owner], levels[0]),
        image_of(album.samples[second.owner], levels[1]),
    )


def _joined(pairs: Iterable[Pair]) -> list[set[int]]:
    """Sets of samples that are linked by pairs."""
    linked: dict[int, set[int]] = defaultdict(set)
    for one, other in pairs:
        linked[one].add(other)
        linked[other].add(one)
    found, left = [], set(linked)
    while left:
        reached, open_ends = set(), [min(left)]
        while open_ends:
            one = open_ends.pop()
            if one not in reached:
                reached.add(one)
                open_ends += linked[one]
        left -= reached
        found.append(reached)
    return found
