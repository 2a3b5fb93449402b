"""The leak guard: what train and test share.

It has to open test images, and returns findings only. A part is compared with itself
only, unless one model learns from all parts.
"""

import glob
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bearing_search.config import parse
from bearing_search.data.samples import GOOD, Sample, read_mask
from bearing_search.data_checks.findings import Finding, LeakReport, image_of
from bearing_search.data_checks.matching.album import Album
from bearing_search.data_checks.matching.copies import copy_findings
from bearing_search.data_checks.matching.shared_files import shared_files
from bearing_search.data_checks.names import shared_names
from bearing_search.errors import ConfigError, DataError
from bearing_search.filesystem.digest import sha256_of_file
from bearing_search.preprocess.image_cache import entry, load_facts, store_facts

VERSION = 3
"""Raised whenever the guard finds something else in equal data."""

_OPENING = 0.4
"""Share of the work that is reading and decoding; the rest is comparing."""

OnProgress = Callable[[float], None]
"""Told which share of the work is done."""


def find_leaks(
    samples: Sequence[Sample],
    cache: Path,
    *,
    together: bool = False,
    on_progress: OnProgress = lambda share: None,
) -> LeakReport:
    """Everything that train and test share, and what makes the folds of train share something.

    Args:
        samples: of all splits and of the parts in question.
        together: one model learns from all parts, so that they leak into each other.
        cache: folder where the findings are kept, under the digest of all names and files.

    Raises:
        DataError: a file cannot be read.
    """
    contents = _contents(samples)
    digest = _digest(samples, contents)
    file = entry(cache, ".json", "leaks", VERSION, digest, together)
    known = _known(file)
    if known is not None:
        return known
    report = LeakReport(
        digest=digest,
        num_samples=len(samples),
        findings=tuple(_findings(samples, contents, cache, together, on_progress)),
    )
    cache.mkdir(parents=True, exist_ok=True)
    store_facts(file, asdict(report))
    return report


def _known(file: Path) -> LeakReport | None:
    facts: Mapping[str, Any] | None = load_facts(file)
    if facts is None:
        return None
    try:
        return parse(LeakReport, dict(facts))
    except ConfigError:  # torn, or another version's
        return None


def _contents(samples: Sequence[Sample]) -> dict[Path, str]:
    found = {}
    for sample in samples:
        for file in _files_of(sample):
            try:
                found[file] = sha256_of_file(file)
            except OSError as error:
                raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    return found


def _files_of(sample: Sample) -> tuple[Path, ...]:
    mask = _mask_of(sample)
    return (*sample.level_files, *([mask] if mask else []))


def _digest(samples: Sequence[Sample], contents: Mapping[Path, str]) -> str:
    total = hashlib.sha256()
    for sample in samples:
        reading = (sample.reading.bits, sample.num_levels)
        facts = (sample.title, sample.group, sample.is_anomalous, reading)
        total.update(repr((facts, [(str(f), contents[f]) for f in _files_of(sample)])).encode())
    return total.hexdigest()[:16]


def _findings(
    samples: Sequence[Sample],
    contents: Mapping[Path, str],
    cache: Path,
    together: bool,
    on_progress: OnProgress,
) -> Iterator[Finding]:
    album = Album(samples, contents, cache, on_progress=lambda share: on_progress(_OPENING * share))
    for sample, size in zip(samples, album.sizes, strict=True):
        if not sample.is_anomalous and (shown := _marked_normal(sample, size)) is not None:
            yield shown
    yield from _shared_groups(samples)
    same: dict[tuple[int, int], Finding] = {}
    for pair, finding in shared_files(album, contents, together=together):
        same.setdefault(pair, finding)
    yield from same.values()
    by_part: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_part[sample.part].append(sample)
    for of_part in by_part.values():
        yield from shared_names(of_part)
    yield from copy_findings(
        album,
        set(same),
        together=together,
        on_progress=lambda share: on_progress(_OPENING + (1 - _OPENING) * share),
    )


def _mask_of(sample: Sample) -> Path | None:
    """The mask of a normal sample: of its own, or in `ground_truth/good` of its part's folder.

    The masks there are test's, as in MVTec AD, unless only train has a sample of the name.
    """
    folder = sample.level_files[0].parent
    if sample.is_anomalous or sample.mask_file is not None or folder.name != GOOD:
        return sample.mask_file
    part = folder.parent.parent
    masks = sorted((part / "ground_truth" / GOOD).glob(f"{glob.escape(sample.name)}_mask.*"))
    beside = part / "test" / GOOD / sample.level_files[0].name
    if not masks or (sample.split == "train" and beside.exists()):
        return None
    return masks[0]


def _marked_normal(sample: Sample, shape: tuple[int, ...]) -> Finding | None:
    mask = _mask_of(sample)
    if mask is None or not read_mask(replace(sample, mask_file=mask), shape).any():
        return None
    return Finding(
        severity="leak",
        kind="label",
        part=sample.part,
        text=f"{sample.title}: labelled normal, but its mask {mask.name} marks pixels",
        advice="Label it anomalous, or drop the mask",
        samples=(sample.title,),
        files=(image_of(sample), str(mask)),
    )


def _shared_groups(samples: Sequence[Sample]) -> Iterator[Finding]:
    members: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        members[sample.part, sample.group].append(sample)
    for (part, group), found in members.items():
        train = [sample for sample in found if sample.split == "train"]
        test = [sample for sample in found if sample.split == "test"]
        if train and test:
            yield Finding(
                severity="leak",
                kind="group",
                part=part,
                text=f"{part}: group {group} has {len(train)} samples in train and {len(test)} "
                f"in test, such as {train[0].title} and {test[0].title}",
                advice="Move the whole group to one side",
                samples=(test[0].title, train[0].title),
                files=(image_of(test[0]), image_of(train[0])),
            )
