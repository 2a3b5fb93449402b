"""Samples that share a file, byte for byte."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from bearing_search.data_checks.findings import Finding
from bearing_search.data_checks.matching.album import Album


def shared_files(
    album: Album, contents: Mapping[Path, str], *, together: bool
) -> Iterator[tuple[tuple[int, int], Finding]]:
    """Pairs of samples, the smaller position first, that share an image; blank images do not count.

    Where many samples share one, each is named with the first of the other split, or with the first
    of all.

    Args:
        contents: digest of each file's content.
        together: whether samples of different parts are compared, since one model learns them all.
    """
    holders: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for position, sample in enumerate(album.samples):
        for level in range(len(sample.level_files)):
            part = "" if together else sample.part
            key = (contents[sample.level_files[level]], part)
            holders[key].setdefault(position, level)
    for levels in holders.values():
        if len(levels) < 2 or album.is_blank(*next(iter(levels.items()))):
            continue
        files = {at: album.samples[at].level_files[level] for at, level in levels.items()}
        first, *others = files
        splits = {album.samples[one].split: one for one in reversed(list(files))}
        for other in others:
            split = album.samples[other].split
            across = [one for name, one in splits.items() if name != split]
            partner = across[0] if across else first
            pair = (min(partner, other), max(partner, other))
            yield pair, _finding(album, (other, partner), (files[other], files[partner]))


def _finding(album: Album, pair: tuple[int, int], files: tuple[Path, Path]) -> Finding:
    ordered = sorted(
        zip(pair, files, strict=True),
        key=lambda one: (album.samples[one[0]].split != "test", one[0]),
    )
    (one, other), shown = ([album.samples[at] for at, _ in ordered], [file for _, file in ordered])
    crosses = one.split != other.split
    where = "in test and train" if crosses else f"twice in {one.split}"
    return Finding(
        severity="leak" if crosses else "warning",
        kind="file",
        part=one.part,
        text=f"{one.title} and {other.title}: the same file {where} "
        f"({shown[0].name}, {shown[1].name})",
        advice="Remove one of them",
        samples=(one.title, other.title),
        files=(str(shown[0]), str(shown[1])),
        evidence=1.0,
    )
