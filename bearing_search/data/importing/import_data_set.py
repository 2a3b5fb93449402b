"""A data set with another layout -> a manifest of its files, and the masks that it lacks."""

import csv
import io
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from bearing_search.data.files.listing import Folder
from bearing_search.data.importing.names import (
    key_of,
    plain_name,
    with_plain_parts,
    with_unique_names,
)
from bearing_search.data.importing.raw_sample import RawSample, RawSet
from bearing_search.data.importing.shapes import united
from bearing_search.data.importing.test_share import TEST_SHARE, with_splits
from bearing_search.data.layouts.manifest import MANIFEST
from bearing_search.data.layouts.table import LAYOUTS, layout_of
from bearing_search.data.samples import GOOD
from bearing_search.errors import DataError
from bearing_search.filesystem.atomic import write_atomically

MASKS, MARKER = "masks", "import.json"
_COLUMNS = ("part", "split", "label", "defect", "sample", "group")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedSet:
    """Summary of an import."""

    out: Path
    layout: str
    """Name of the layout, a key of `LAYOUTS`."""

    counts: tuple[tuple[str, str, str, int], ...]
    """Part, split, defect (`good`: normal), number of samples; sorted."""

    num_drawn: int
    """Masks that were rendered or merged."""

    num_bare: int
    """Anomalous samples without a mask."""

    said: tuple[str, ...]
    """Choices made and files left out, one sentence each."""


def import_data_set(
    raw: Path, out: Path, *, layout: str | None = None, test_share: float | None = None
) -> ImportedSet:
    """Write a manifest of the samples below `raw` into `out`, and masks not available as files.

    No image is copied: the manifest refers to the files in place, by relative path if they are
    below `out`. The same data give the same bytes again.

    Args:
        raw: the data set as it was downloaded or exported.
        out: new folder, or the folder of an earlier import of the same data.
        layout: key of `LAYOUTS`; None: the first that recognises the folder.
        test_share: share of each kind, for a set without its own train and test.

    Raises:
        DataError: the layout is not recognised or is damaged, or `out` holds something else.
    """
    raw, out = raw.absolute(), out.absolute()
    name = _layout(raw, layout)
    _require_own_folder(raw, out)
    found = LAYOUTS[name].read(Folder(raw))
    samples, said = _divided(found, test_share)
    samples = with_unique_names(with_plain_parts(samples))
    if not samples:
        raise DataError(f"{raw}: no images found for the layout {name}. Try another with --as.")
    _start(raw, out, name)
    rows = [_row(sample, out) for sample in samples]
    write_atomically(out / MANIFEST, _csv(rows))
    return ImportedSet(
        out=out,
        layout=name,
        counts=_counts(samples),
        num_drawn=sum(_must_be_drawn(sample) for sample in samples),
        num_bare=sum(bool(s.defect) and not s.mask_files and not s.draw for s in samples),
        said=(*found.said, *said),
    )


def _layout(raw: Path, asked: str | None) -> str:
    if not raw.is_dir():
        raise DataError(f"{raw}: not a folder. Name the folder of the data set.")
    if asked is not None and asked not in LAYOUTS:
        raise DataError(f"--as {asked}: unknown layout; choose from {', '.join(LAYOUTS)}.")
    name = asked or layout_of(raw)
    if name is None:
        names = ", ".join(entry.name for entry in sorted(raw.iterdir())[:5]) or "nothing"
        raise DataError(
            f"{raw}: no layout recognised; it holds {names}. Choose one with --as "
            f"({', '.join(LAYOUTS)}), or write a {MANIFEST}."
        )
    return name


def _require_own_folder(raw: Path, out: Path) -> None:
    """Raise unless `out` is new, empty, or was written by an earlier import of `raw`."""
    if out.is_relative_to(raw):
        raise DataError(f"--out {out}: is inside the data set. Name a folder next to it.")
    if not out.exists():
        return
    if not out.is_dir():
        raise DataError(f"--out {out}: is a file. Name a new folder.")
    spared = {raw.relative_to(out).parts[0]} if raw.is_relative_to(out) else set()
    others = sorted(entry.name for entry in out.iterdir() if entry.name not in spared)
    if others and _source(out) != str(raw):
        raise DataError(
            f"--out {out}: holds {', '.join(others[:3])}, not written by an import of {raw}. Name "
            "a new folder."
        )


def _source(out: Path) -> str:
    """Source of an earlier import into the folder; empty: there was none."""
    try:
        return str(json.loads((out / MARKER).read_text(encoding="utf-8"))["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _divided(found: RawSet, share: float | None) -> tuple[Sequence[RawSample], list[str]]:
    num_open = sum(sample.split is None for sample in found.samples)
    if not num_open:
        if share is not None:
            raise DataError(
                "--test-share: this data set has its own train and test. Omit the flag."
            )
        return found.samples, []
    share = TEST_SHARE if share is None else share
    return with_splits(found.samples, share), [
        f"no train and test in the source: {share:.0%} of the groups of each kind are test, by a "
        "hash of their names (--test-share)"
    ]


def _start(raw: Path, out: Path, layout: str) -> None:
    """Create the folder, record its source, and remove the results of an earlier import."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"source": str(raw), "layout": layout}, indent=2, ensure_ascii=False)
    write_atomically(out / MARKER, f"{text}\n".encode("utf-8", "surrogateescape"))
    (out / MANIFEST).unlink(missing_ok=True)  # it refers to masks that are rendered again
    shutil.rmtree(out / MASKS, ignore_errors=True)


def _must_be_drawn(sample: RawSample) -> bool:
    return sample.draw is not None or len(sample.mask_files) > 1


def _row(sample: RawSample, out: Path) -> dict[str, str]:
    mask = sample.mask_files[0] if sample.mask_files else None
    if _must_be_drawn(sample):
        mask = _drawn(sample, out)
    return {
        "part": sample.part,
        "split": sample.split or "",
        "label": "anomalous" if sample.defect else "normal",
        "defect": sample.defect or GOOD,
        "sample": sample.name,
        "group": sample.group or "/".join(key_of(sample)),
        **{f"b{level}": _path(file, out) for level, file in enumerate(sample.level_files)},
        **({"mask": _path(mask, out)} if mask else {}),
    }


def _drawn(sample: RawSample, out: Path) -> Path:
    """Write a mask that the source does not have as a usable file; return its path."""
    draw = sample.draw or partial(united, sample.mask_files, sample.level_files[0])
    part, split, defect, name = key_of(sample)
    file = out / MASKS / part / split / defect / f"{plain_name(name) or 'sample'}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(".png", draw().astype(np.uint8) * 255)[1]
    write_atomically(file, encoded.tobytes())
    return file


def _path(file: Path, out: Path) -> str:
    path = Path(os.path.normpath(file))
    return (path.relative_to(out) if path.is_relative_to(out) else path).as_posix()


def _csv(rows: Sequence[dict[str, str]]) -> bytes:
    levels = sorted({name for row in rows for name in row if re.fullmatch(r"b\d+", name)})
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, (*_COLUMNS, *levels, "mask"), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    try:
        return stream.getvalue().encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{error.object[error.start - 20 : error.end + 20]!r}: a file name is not UTF-8. "
            "Rename the file."
        ) from None


def _counts(samples: Iterable[RawSample]) -> tuple[tuple[str, str, str, int], ...]:
    counts = Counter((one.part, one.split or "", one.defect or GOOD) for one in samples)
    return tuple((*key, counts[key]) for key in sorted(counts))
