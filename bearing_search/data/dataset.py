"""The samples of a data set, listed by the first of `DATA_READERS` that recognises its layout."""

import hashlib
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from bearing_search.data.decoding.bit_depth import PartDepth
from bearing_search.data.files.listing import Folder, few, is_picture, read_suffixes, suffix_of
from bearing_search.data.files.mask_files import mask_hint
from bearing_search.data.layouts.folders import check_part_name
from bearing_search.data.layouts.table import NATIVE, import_line, layout_of
from bearing_search.data.readers import DATA_READERS, reader_of
from bearing_search.data.remarks import Remark
from bearing_search.data.samples import IMAGE_SUFFIXES, Sample, Split
from bearing_search.errors import DataError
from bearing_search.filesystem.digest import sha256_of_file


@dataclass(frozen=True)
class DataSet:
    """All samples below one folder; no image has been opened yet."""

    root: Path
    all_samples: tuple[Sample, ...]
    reader: str = ""
    """Name of its reader in `DATA_READERS`."""

    depths: Mapping[str, PartDepth] = field(default_factory=dict)
    """Bit depth of each part, once `with_readings` has found it."""

    @cached_property
    def remarks(self) -> tuple[Remark, ...]:
        """Its reader's remarks on the files, such as which are left out."""
        if self.reader not in DATA_READERS:
            return ()
        return tuple(DATA_READERS[self.reader].remarks(self.root, self.all_samples))

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
        DataError: the folder does not exist, holds no data set, or has a layout that must be
            imported first; or a level is missing, a sample is listed twice, masks lie there under
            names that fit no sample, or two samples share a mask.
    """
    if not root.is_dir():
        raise DataError(f"{root}: not a folder. --data takes the folder that holds the parts.")
    name = reader_of(root)
    if name in (None, "folders"):
        _refuse_foreign_layout(root)
    found = DATA_READERS[name].read(root) if name else ()
    samples = sorted(found, key=_key)
    if not samples:
        raise _nothing_found(root, [name] if name else list(DATA_READERS))
    _require_names_and_levels(root, samples)
    if name == "folders":
        _require_found_masks(samples)
    _require_own_masks(samples)
    _require_equal_levels(samples)
    return DataSet(root=root, all_samples=tuple(samples), reader=name or "")


def content_digest(
    samples: Iterable[Sample], *, on_file: Callable[[Path], None] = lambda file: None
) -> str:
    """Sixteen hex digits over what the samples are and the contents of their files.

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


def _refuse_foreign_layout(root: Path) -> None:
    layout = layout_of(root)
    if layout not in (None, NATIVE):
        case = _wrong_case(root) if layout == "ok-ng" else ""
        raise DataError(f"{import_line(root, layout)}{'.' + case if case else ''}")


def _nothing_found(root: Path, readers: Sequence[str]) -> DataError:
    wanted = " or ".join(DATA_READERS[name].wanted for name in readers)
    found = few(sorted(entry.name for entry in root.iterdir()), most=5) or "nothing"
    return DataError(
        f"{root}: no images found; wanted {wanted}, found {found}.{_wrong_case(root)}"
        f"{_unread_pictures(root)}"
    )


def _wrong_case(root: Path) -> str:
    """A sentence if train/ exists with other capitals; else empty."""
    for part in (Folder(root), *Folder(root).folders.values()):
        for name in part.folders:
            if name.lower() == "train" != name:
                return f" {part.path / name} must be named train, in lower case, and test likewise."
    return ""


def _unread_pictures(root: Path) -> str:
    """A sentence on images that are there but not read as a data set; empty: there are none."""
    names = [name for folder in Folder(root).walk(5) for name in folder.files if is_picture(name)]
    counts = Counter(suffix_of(name) for name in names if suffix_of(name) not in IMAGE_SUFFIXES)
    if not counts and names:
        return (
            f" It holds {len(names)} images; if all are normal: python -m "
            f"bearing_search import {shlex.quote(str(root))} --out DATA --as pictures"
        )
    if not counts:
        return ""
    kinds = few([f"{count} {suffix} files" for suffix, count in counts.most_common()])
    return f" It holds {kinds}; supported are {read_suffixes()}."


def _require_names_and_levels(root: Path, samples: Sequence[Sample]) -> None:
    for part in sorted({sample.part for sample in samples}):
        check_part_name(part, str(root))
    for one in samples:
        if not one.level_files:
            raise DataError(f"{root}: {one.title} has no brightness level. Add its image.")
    for one, following in pairwise(samples):
        if _key(one) == _key(following):
            raise DataError(f"{root}: lists {one.title} twice. Keep one, or rename the other.")


def _require_found_masks(samples: Sequence[Sample]) -> None:
    """Anomalous samples may be without a mask, unless files that may be it lie there unused."""
    bare = [sample for sample in samples if sample.is_unmasked]
    used = {mask for sample in samples for mask in sample.mask_files} if bare else set()
    first = {sample.level_files[0].parent: sample for sample in reversed(bare)}
    for sample in first.values():
        if hint := mask_hint(sample, used):
            raise DataError(
                f"{sample.title}: anomalous, but has no mask ({len(bare)} such samples), although "
                f"{hint} Name it {sample.part}/ground_truth/{sample.defect}/"
                f"{sample.name}_mask.png, or move away what is no mask."
            )


def _require_own_masks(samples: Sequence[Sample]) -> None:
    """Masks of train and test share a folder, so two samples with one name would share a mask."""
    owner: dict[Path, Sample] = {}
    for sample in samples:
        for mask in sample.mask_files:
            other = owner.setdefault(mask, sample)
            if other is not sample:
                raise DataError(
                    f"{sample.title} and {other.title} share the mask {mask.name}, which can fit "
                    "only one of them. Rename the files of one sample, and its mask with them."
                )


def _require_equal_levels(samples: Sequence[Sample]) -> None:
    for part in sorted({sample.part for sample in samples}):
        of_part = [sample for sample in samples if sample.part == part]
        counts = Counter(len(sample.level_files) for sample in of_part)
        usual, most = counts.most_common(1)[0][0], max(counts)
        long = [sample for sample in of_part if len(sample.level_files) > usual]
        if 2 * len(long) < len(of_part) and long:
            raise DataError(
                f"{long[0].title}: has {len(long[0].level_files)} brightness levels "
                f"({long[0].level_files[-1].name}), {counts[usual]} others of {part} have {usual}. "
                "Remove the extra files, or add the missing ones."
            )
        short = [sample for sample in of_part if len(sample.level_files) < most]
        if short:
            raise DataError(
                f"{short[0].title}: has {len(short[0].level_files)} of {most} brightness levels "
                f"({len(short)} such samples of {part}). Add the missing files, or remove the "
                "sample."
            )
