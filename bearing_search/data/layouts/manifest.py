"""Samples from `manifest.csv`: one line per sample, paths relative to the manifest's folder."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bearing_search.data.files.manifest_table import (
    SAVE_AS,
    FilesBelow,
    level_files,
    read_table,
)
from bearing_search.data.layouts.folders import check_part_name
from bearing_search.data.remarks import Remark
from bearing_search.data.samples import GOOD, Sample
from bearing_search.errors import DataError

MANIFEST = "manifest.csv"
_REQUIRED = ("part", "split", "label", "sample", "b0")
_LABELS = {
    **dict.fromkeys(("normal", "good", "ok", "0"), False),
    **dict.fromkeys(("anomalous", "defective", "ng", "1"), True),
}


def has_manifest(root: Path) -> bool:
    """Whether the folder holds a manifest."""
    return (root / MANIFEST).is_file()


def samples_of_manifest(root: Path) -> list[Sample]:
    """Every line of the manifest below `root` as a sample.

    Columns part, split (train or test), label (normal or anomalous, good or defective, OK or NG, 0
    or 1), defect, sample, group (default: the sample itself), b0, b1, ..., mask; further columns
    are ignored. They are separated by commas, semicolons or tabs.

    Raises:
        DataError: a column or file is missing, or a value is unknown; it names file and line.
    """
    table, files, parts = read_table(root / MANIFEST, _REQUIRED), FilesBelow(root), set[str]()
    samples = []
    for line, row in table.rows():
        where = f"{table.file}, line {line}"
        if row.get("part") not in parts:
            check_part_name(row.get("part", ""), where)
            parts.add(row["part"])
        samples.append(_sample(row, where, files, table.aside))
    if not samples:
        raise DataError(f"{table.file}: lists no samples.")
    return samples


def remarks_on_manifest(root: Path, samples: Sequence[Sample]) -> Iterator[Remark]:
    """Remarks on how the manifest was read, unless it is UTF-8 with commas."""
    table = read_table(root / MANIFEST, _REQUIRED)
    if table.encoding not in ("utf-8", "utf-8-sig"):
        yield Remark(
            severity="warning" if table.aside else "note",
            kind="encoding",
            text=f"{MANIFEST} is read as {table.encoding}",
            advice=SAVE_AS.rstrip("."),
        )
    if table.delimiter != ",":
        name = {";": "semicolons", "\t": "tabs"}[table.delimiter]
        yield Remark(
            severity="note",
            kind="manifest",
            text=f"the columns of {MANIFEST} are separated by {name}",
        )


def _sample(row: Mapping[str, str], where: str, files: FilesBelow, aside: str) -> Sample:
    split, label = row.get("split", "").lower(), row.get("label", "").lower()
    if split not in ("train", "test"):
        raise DataError(f"{where}: split is {row.get('split', '')!r}; wanted train or test.")
    if label not in _LABELS:
        raise DataError(
            f"{where}: label is {row.get('label', '')!r}; wanted normal or anomalous (or good, "
            "defective; OK, NG; 0, 1)."
        )
    is_anomalous, part, name = _LABELS[label], row["part"], row.get("sample", "")
    if not name:
        raise DataError(f"{where}: has no sample; name it.")
    defect = row.get("defect") or ("defect" if is_anomalous else GOOD)
    levels = level_files(row, where)
    return Sample(
        part=part,
        split="train" if split == "train" else "test",
        defect=defect,
        name=name,
        group=row.get("group") or f"{part}/{split}/{defect}/{name}",
        is_anomalous=is_anomalous,
        level_files=tuple(files.existing(level, where, aside) for level in levels),
        mask_file=files.existing(row["mask"], where, aside) if row.get("mask") else None,
    )
