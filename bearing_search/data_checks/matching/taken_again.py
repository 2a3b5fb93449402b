"""Things photographed again, as findings: one a part and side, however many they are."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bearing_search.data.samples import Sample
from bearing_search.data_checks.findings import Finding

Pair = tuple[int, int]

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """The two photographs of one thing that agree best."""

    pair: Pair
    """Positions of their samples, the one in test first."""

    agreement: float
    files: tuple[str, str]
    turn_deg: float
    is_mirrored: bool


def taken_again(samples: Sequence[Sample], pairs: Mapping[Pair, Again]) -> Iterator[Finding]:
    """A warning for each part, on what stands on both sides and on what does not.

    The five things that agree best are named, the others counted.

    Args:
        pairs: by positions of samples, the smaller first.
    """
    things: dict[tuple[str, bool], list[tuple[Again, list[int]]]] = defaultdict(list)
    for members in _joined(pairs):
        ordered = sorted(members)
        best = max((p for p in pairs if p[0] in members), key=lambda pair: pairs[pair].agreement)
        crosses = len({samples[one].split for one in ordered}) > 1
        things[samples[ordered[0]].part, crosses].append((pairs[best], ordered))
    for (_, crosses), found in sorted(things.items()):
        found.sort(key=lambda thing: -thing[0].agreement)
        yield _finding(samples, found, crosses)


def _finding(
    samples: Sequence[Sample], found: Sequence[tuple[Again, list[int]]], crosses: bool
) -> Finding:
    worst = found[0][0]
    one = samples[worst.pair[0]]
    where = "on both sides" if crosses else f"all in {one.split}, in different groups"
    if len(found) == 1:
        text = f"{_named(samples, *found[0])}: one thing photographed again, {where}"
        text += _counts(samples, found[0][1])
        text += f" (agreement {worst.agreement:.2f} of 1)"
    else:
        number = sum(len(members) for _, members in found)
        text = f"{one.part}: {len(found)} things photographed again, {where}, in {number} samples: "
        text += "; ".join(
            f"{_named(samples, again, members)} ({again.agreement:.2f} of 1)"
            for again, members in found[:_SHOWN]
        )
        text += f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    titles = [samples[at].title for again, _ in found for at in again.pair]
    titles += [samples[at].title for _, members in found for at in members]
    return Finding(
        severity="warning",
        kind="again",
        part=one.part,
        text=text,
        advice=f"If {'it is one thing' if len(found) == 1 else 'each is one thing'}, give "
        f"{'them' if len(found) == 1 else 'its photographs'} one group in manifest.csv"
        + (" and keep it on one side" if crosses else ""),
        samples=tuple(dict.fromkeys(titles)),
        files=worst.files,
        turn_deg=worst.turn_deg,
        is_mirrored=worst.is_mirrored,
    )


def _named(samples: Sequence[Sample], again: Again, members: Sequence[int]) -> str:
    first, second = (samples[at].title for at in again.pair)
    more = len(members) - 2
    return f"{first} and {second}{f' and {more} more' if more else ''}"


def _counts(samples: Sequence[Sample], members: Sequence[int]) -> str:
    splits = [samples[at].split for at in members]
    if len(splits) == 2:
        return ""
    return f", {splits.count('train')} in train and {splits.count('test')} in test"


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
