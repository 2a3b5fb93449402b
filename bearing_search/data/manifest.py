"""Samples from `manifest.csv`: one line a sample, paths relative to the manifest's folder."""

import csv
from collections.abc import Mapping
from pathlib import Path

from bearing_search.data.folders import check_part_name
from bearing_search.data.samples import GOOD, Sample
from bearing_search.errors import DataError

MANIFEST = "manifest.csv"
_REQUIRED = ("part", "split", "label", "sample", "b0")
_LEVELS = ("b0", "b1", "b2")


def has_manifest(root: Path) -> bool:
    """Whether the folder holds a manifest."""
    return (root / MANIFEST).is_file()


def samples_of_manifest(root: Path) -> list[Sample]:
    """Every line of the manifest below `root` as a sample.

    Columns part, split (train or test), label (normal or anomalous), defect, sample, group
    (default: the sample itself), b0, b1, b2, mask; further columns are ignored.

    Raises:
        DataError: naming file and line: a column or file is missing, or a value is unknown.
    """
    file = root / MANIFEST
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream)
            missing = [name for name in _REQUIRED if name not in (rows.fieldnames or ())]
            if missing:
                raise DataError(f"{file}: lacks the column {', '.join(missing)}.")
            samples = [_sample(row, file, rows.line_num) for row in rows]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: is no CSV file in UTF-8 ({error}).") from None
    if not samples:
        raise DataError(f"{file}: lists no sample.")
    return samples


def _sample(row: Mapping[str, str | None], file: Path, line: int) -> Sample:
    where = f"{file}, line {line}"
    value = {name: (text or "").strip() for name, text in row.items() if name}
    for name, known in (("split", ("train", "test")), ("label", ("normal", "anomalous"))):
        if value[name] not in known:
            raise DataError(f"{where}: {name} is {value[name]!r}; wanted {' or '.join(known)}.")
    check_part_name(value["part"], where)
    is_anomalous = value["label"] == "anomalous"
    defect = value.get("defect") or ("defect" if is_anomalous else GOOD)
    present = [name for name in _LEVELS if value.get(name)]
    if present != list(_LEVELS[: len(present)]) or not present:
        lacking = next(name for name in _LEVELS if name not in present)
        raise DataError(f"{where}: sample {value['sample']} has no {lacking}; levels start at b0.")
    return Sample(
        part=value["part"],
        split="train" if value["split"] == "train" else "test",
        defect=defect,
        name=value["sample"],
        group=value.get("group")
        or "/".join((value["part"], value["split"], defect, value["sample"])),
        is_anomalous=is_anomalous,
        level_files=tuple(_existing(file, value[name], where) for name in present),
        mask_file=_existing(file, value["mask"], where) if value.get("mask") else None,
    )


def _existing(manifest: Path, relative: str, where: str) -> Path:
    path = manifest.parent / relative
    if not path.is_file():
        raise DataError(f"{where}: {relative} does not exist below {manifest.parent}.")
    return path
