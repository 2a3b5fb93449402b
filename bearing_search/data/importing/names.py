"""The names of samples in a manifest: unique, and valid as folder names."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from bearing_search.data.importing.raw_sample import RawSample
from bearing_search.data.samples import GOOD
from bearing_search.errors import DataError

Key = tuple[str, str, str, str]
"""Part, split, defect, name."""


def with_plain_parts(samples: Iterable[RawSample]) -> list[RawSample]:
    """The samples, with parts and defects that are valid folder names."""
    return [
        replace(
            sample,
            part=plain_name(sample.part) or "part",
            defect=(plain_name(sample.defect) or "defect") if sample.defect else "",
        )
        for sample in samples
    ]


def with_unique_names(samples: Iterable[RawSample]) -> list[RawSample]:
    """The samples sorted by key; names that occur twice get folders or suffixes added.

    Raises:
        DataError: two samples still have the same name.
    """
    alike: dict[Key, list[RawSample]] = defaultdict(list)
    for sample in samples:
        alike[key_of(sample)].append(sample)
    named = sorted((one for found in alike.values() for one in _apart(found)), key=key_of)
    for one, other in pairwise(named):
        if key_of(one) == key_of(other):
            raise DataError(
                f"{one.level_files[0]} and {other.level_files[0]} would both be "
                f"{'/'.join(key_of(one))}. Rename one."
            )
    return named


def _apart(found: list[RawSample]) -> list[RawSample]:
    """Samples of the same name, renamed by the folders in which they differ, or by suffix."""
    if len(found) == 1:
        return found
    files = [sample.level_files[0] for sample in found]
    common = os.path.commonpath([file.parent for file in files])
    if all(file.parent == Path(common) for file in files):
        return [replace(one, name=one.name + one.level_files[0].suffix) for one in found]
    return [
        replace(one, name="_".join((*file.relative_to(common).parts[:-1], one.name)))
        for one, file in zip(found, files, strict=True)
    ]


def key_of(sample: RawSample) -> Key:
    """The key that identifies a sample."""
    return sample.part, sample.split or "", sample.defect or GOOD, sample.name


def plain_name(name: str) -> str:
    """Make a name valid as a folder name."""
    return re.sub(r"[^\w.+ -]", "_", name).lstrip(". +-")
