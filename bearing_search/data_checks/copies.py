"""Near copies of a data set as findings: which of them are leaks, and what to do."""

from collections.abc import Callable, Iterator, Sequence, Set

from bearing_search.data.samples import Sample
from bearing_search.data_checks.duplicates import NearCopy, near_copies
from bearing_search.data_checks.findings import Finding, image_of
from bearing_search.data_checks.thumbnail import Thumbnail
from bearing_search.data_checks.thumbnail_index import ThumbnailIndex

_TURNS = ("", "turned left", "turned upside down", "turned right")


def copy_findings(
    samples: Sequence[Sample],
    thumbnails: Sequence[Thumbnail],
    known: Set[tuple[int, int]],
    *,
    together: bool,
    on_progress: Callable[[float], None],
) -> Iterator[Finding]:
    """Test is asked about all others, then train about itself: what its folds would share.

    Args:
        samples: of any parts.
        thumbnails: their images, by position.
        known: pairs of positions that were found otherwise, the smaller first.
        together: compare every part with every other, not each with itself.
        on_progress: told which share is done.
    """
    order = sorted(range(len(samples)), key=lambda i: (samples[i].split == "train", i))
    albums = ["" if together else sample.part for sample in samples]
    done = 0
    for name in sorted(set(albums)):
        of_album = [t for t in thumbnails if albums[t.owner] == name]
        index = ThumbnailIndex(of_album) if of_album else None
        members = [position for position in order if albums[position] == name]
        for rank, position in enumerate(members):
            others = {
                other
                for other in members[rank + 1 :]
                if not _is_one_group(samples[position], samples[other])
                and (min(position, other), max(position, other)) not in known
            }
            if index is not None and position in index.owners and others:
                for copy in near_copies(index, position, others):
                    yield _copied(samples, copy)
            done += 1
            on_progress(done / len(samples))


def _is_one_group(one: Sample, other: Sample) -> bool:
    return (one.part, one.group) == (other.part, other.group)


def _copied(samples: Sequence[Sample], copy: NearCopy) -> Finding:
    one, other = samples[copy.first], samples[copy.second]
    crosses = one.split != other.split
    turn = how_turned(copy.orientation)
    if copy.is_one_photograph:
        what = f"one photograph{f', {turn}' if turn else ''}"
        advice = "Remove one of them"
    else:
        what = "the same thing photographed again, or so it looks"
        advice = "If it is one thing, give both one group in manifest.csv"
    where = "on both sides" if crosses else f"both in {one.split}, in groups of their own"
    is_leak = crosses and copy.is_one_photograph
    return Finding(
        severity="leak" if is_leak else "warning",
        kind="copy" if copy.is_one_photograph else "again",
        part=one.part,
        text=f"{one.title} and {other.title}: {what}, {where} (agreement {copy.agreement:.2f})",
        advice=advice + (" and keep them on one side" if crosses and not is_leak else ""),
        samples=(one.title, other.title),
        files=_shown(one, other, copy.levels),
        orientation=copy.orientation,
    )


def _shown(one: Sample, other: Sample, levels: tuple[int, int]) -> tuple[str, str]:
    """Images to look at: the levels that agreed, or the brightest ones where those are alike."""
    first, second = levels if levels[0] != levels[1] else (0, 0)
    return image_of(one, first), image_of(other, second)


def how_turned(orientation: int) -> str:
    """An orientation in words; empty: as it is."""
    words = [_TURNS[orientation % 4], "mirrored" if orientation >= 4 else ""]
    return " and ".join(word for word in words if word)
