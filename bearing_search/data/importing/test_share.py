"""Divides a data set without train and test, by a deterministic rule."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bearing_search.data.importing.raw_sample import RawSample
from bearing_search.errors import DataError

TEST_SHARE = 0.3
"""Default share of each kind that goes to test."""


def with_splits(samples: Sequence[RawSample], share: float) -> list[RawSample]:
    """The samples, each with a split: a share of every kind goes to test, in whole groups.

    Groups are ordered by the kinds of defects that they hold, by whether they have a mask, then by
    a hash of their name, and evenly spaced ones go to test. So the order of files does not matter,
    adding a sample moves few others, and each kind gets its share, with and without masks, give or
    take one.

    Args:
        samples: of all parts; those that have a split keep it.
        share: of the groups of each kind, above 0 and below 1.

    Raises:
        DataError: the share is outside that range.
    """
    if not 0 < share < 1:
        raise DataError(f"--test-share is {share:g}; wanted a share between 0 and 1, such as 0.3.")
    open_samples = [sample for sample in samples if sample.split is None]
    test = {
        (part, group)
        for part in {sample.part for sample in open_samples}
        for group in _test_groups([one for one in open_samples if one.part == part], share)
    }
    return [
        sample
        if sample.split is not None
        else replace(sample, split="test" if (sample.part, group_of(sample)) in test else "train")
        for sample in samples
    ]


def open_without_test(samples: Iterable[RawSample]) -> tuple[RawSample, ...]:
    """The samples, without a split if none of them is for test, so that a rule divides them."""
    found = tuple(samples)
    if any(sample.split == "test" for sample in found):
        return found
    return tuple(replace(sample, split=None) for sample in found)


def group_of(sample: RawSample) -> str:
    """The physical object of a sample: as the source gives it, or the sample itself."""
    return sample.group or f"{sample.defect or 'good'}/{sample.name}"


def _test_groups(samples: Iterable[RawSample], share: float) -> list[str]:
    """Groups of one part that go to test."""
    kinds: dict[str, set[str]] = defaultdict(set)
    masked = set()
    for sample in samples:
        kinds[group_of(sample)].add(sample.defect)
        if sample.defect and (sample.mask_files or sample.draw is not None):
            masked.add(group_of(sample))
    normal = [group for group, found in kinds.items() if found == {""}]
    anomalous = [group for group in kinds if group not in set(normal)]
    chosen = []
    for groups in (normal, anomalous):
        ordered = sorted(
            groups, key=lambda group: (sorted(kinds[group]), group in masked, _hash(group), group)
        )
        marks = [int(share * number + 0.5) for number in range(len(ordered) + 1)]
        chosen += [group for at, group in enumerate(ordered) if marks[at + 1] > marks[at]]
    return chosen


def _hash(group: str) -> str:
    return hashlib.sha256(group.encode("utf-8", "surrogateescape")).hexdigest()
