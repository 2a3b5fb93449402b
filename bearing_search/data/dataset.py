"""A data set: which samples there are, by the first of `DATA_READERS` that knows its layout."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from bearing_search.data.decoding.bit_depth import PartDepth
from bearing_search.data.folders import check_part_name
from bearing_search.data.readers import DATA_READERS, reader_of
from bearing_search.data.samples import Sample, Split
from bearing_search.errors import DataError
from bearing_search.filesystem.digest import sha256_of_file


@dataclass(frozen=True)
class DataSet:
    """All samples below one folder; nothing of them is opened yet."""

    root: Path
    all_samples: tuple[Sample, ...]
    depths: Mapping[str, PartDepth] = field(default_factory=dict)
    """Bit depth of each part, once `with_readings` has found it."""

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts, sorted."""
        return tuple(sorted({sample.part for sample in self.all_samples}))

    def samples(self, split: Split, part: str | None = None) -> tuple[Sample, ...]:
        """Samples of one split, of one part or of all, in a fixed order."""
        return tuple(
            sample
            for sample in self.all_samples
            if sample.split == split and part in (None, sample.part)
        )

    def chosen_parts(self, parts: Sequence[str]) -> tuple[str, ...]:
        """The named parts, or every part where none is named.

        Raises:
            DataError: a named part does not exist.
        """
        unknown = sorted(set(parts) - set(self.parts))
        if unknown:
            raise DataError(
                f"{self.root}: has no part {', '.join(unknown)}; its parts are "
                f"{', '.join(self.parts)}. Change `parts`."
            )
        return tuple(part for part in self.parts if part in parts) if parts else self.parts


def load_data_set(root: Path) -> DataSet:
    """Find every sample below `root`, by the first reader that recognises it.

    Raises:
        DataError: no such folder, nothing in it that looks like a data set, a level that is
            missing, a sample that is listed twice, an anomalous sample without mask, a mask of two
            samples.
    """
    if not root.is_dir():
        raise DataError(f"{root}: is no folder. --data wants the folder that holds the parts.")
    name = reader_of(root)
    found = DATA_READERS[name].read(root) if name else ()
    samples = sorted(found, key=_key)
    if not samples:
        raise _nothing_found(root, [name] if name else list(DATA_READERS))
    _require_names_and_levels(root, samples)
    _require_masks(samples)
    _require_own_masks(samples)
    _require_equal_levels(samples)
    return DataSet(root=root, all_samples=tuple(samples))


def content_digest(
    samples: Iterable[Sample], *, on_file: Callable[[Path], None] = lambda file: None
) -> str:
    """Sixteen hex digits that name what the samples are and what their files hold.

    Raises:
        DataError: a file cannot be read.
    """
    total = hashlib.sha256()
    for sample in samples:
        facts = (sample.part, sample.split, sample.defect, sample.name, sample.group)
        total.update(repr((facts, sample.is_anomalous)).encode())
        for file in sample.files:
            on_file(file)
            try:
                total.update(bytes.fromhex(sha256_of_file(file)))
            except OSError as error:
                raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    return total.hexdigest()[:16]


def _key(sample: Sample) -> tuple[str, str, str, str]:
    return sample.part, sample.split, sample.defect, sample.name


def _nothing_found(root: Path, readers: Sequence[str]) -> DataError:
    wanted = " or ".join(DATA_READERS[name].wanted for name in readers)
    found = ", ".join(sorted(entry.name for entry in root.iterdir())[:5]) or "nothing"
    return DataError(f"{root}: no images found; wanted {wanted}, found {found}.")


def _require_names_and_levels(root: Path, samples: Sequence[Sample]) -> None:
    for part in sorted({sample.part for sample in samples}):
        check_part_name(part, str(root))
    for one in samples:
        if not one.level_files:
            raise DataError(f"{root}: {one.title} has no brightness level. Add its image.")
    for one, following in pairwise(samples):
        if _key(one) == _key(following):
            raise DataError(f"{root}: lists {one.title} twice. Keep one, or rename the other.")


def _require_masks(samples: Sequence[Sample]) -> None:
    bare = [s for s in samples if s.is_anomalous and s.mask_file is None]
    if bare:
        raise DataError(
            f"{bare[0].title}: anomalous, but has no mask ({len(bare)} such samples). Put it at "
            f"{bare[0].part}/ground_truth/{bare[0].defect}/{bare[0].name}_mask.png."
        )


def _require_own_masks(samples: Sequence[Sample]) -> None:
    """The masks of train and test share a folder, so two samples of one name share a mask."""
    owner: dict[Path, Sample] = {}
    for sample in samples:
        if sample.mask_file is None:
            continue
        other = owner.setdefault(sample.mask_file, sample)
        if other is not sample:
            raise DataError(
                f"{sample.title} and {other.title} have one mask, {sample.mask_file.name}, which "
                "can fit only one of them. Rename the files of one sample, its mask with them."
            )


def _require_equal_levels(samples: Sequence[Sample]) -> None:
    for part in sorted({sample.part for sample in samples}):
        of_part = [sample for sample in samples if sample.part == part]
        most = max(len(sample.level_files) for sample in of_part)
        short = [sample for sample in of_part if len(sample.level_files) < most]
        if short:
            raise DataError(
                f"{short[0].title}: has {len(short[0].level_files)} of {most} brightness levels "
                f"({len(short)} such samples of {part}). Add the missing files, or remove the "
                "sample."
            )
