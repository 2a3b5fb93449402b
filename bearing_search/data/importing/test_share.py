"""Train and test for a data set that does not divide its samples: by a rule, the same each time."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bearing_search.data.importing.raw_sample import RawSample
from bearing_search.errors import DataError

TEST_SHARE = 0.3
"""Share of each kind that goes to test unless another is asked for."""


def with_splits(samples: Sequence[RawSample], share: float) -> list[RawSample]:
    """The samples with a split each: a share of every kind goes to test, whole groups.

    Groups are ordered by the kinds of defects that they hold, then by a hash of their name, and
    every so many-th goes to test. So nothing depends on the order of files, a further sample moves
    few others, and each kind has its share, give or take one.

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
    """The samples, without a split if none of them is for test: then a rule divides them."""
    found = tuple(samples)
    if any(sample.split == "test" for sample in found):
        return found
    return tuple(replace(sample, split=None) for sample in found)


def group_of(sample: RawSample) -> str:
    """The physical thing of a sample: what the source says, or the sample itself."""
    return sample.group or f"{sample.defect or 'good'}/{sample.name}"


def _test_groups(samples: Iterable[RawSample], share: float) -> list[str]:
    """Groups of one part that go to test."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        kinds[group_of(sample)].add(sample.defect)
    normal = [group for group, found in kinds.items() if found == {""}]
    anomalous = [group for group in kinds if group not in set(normal)]
    chosen = []
    for groups in (normal, anomalous):
        ordered = sorted(groups, key=lambda group: (sorted(kinds[group]), _hash(group), group))
        marks = [int(share * number + 0.5) for number in range(len(ordered) + 1)]
        chosen += [group for at, group in enumerate(ordered) if marks[at + 1] > marks[at]]
    return chosen


def _hash(group: str) -> str:
    return hashlib.sha256(group.encode("utf-8", "surrogateescape")).hexdigest()
