"""The table of data readers: how the files of a data set become samples. No torch.

Code outside the package can add to it before loading a data set of that layout:

    DATA_READERS["voc"] = DataReader(wanted="ImageSets/*.txt", recognises=..., read=...)
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bearing_search.data.layouts.folders import LAYOUT, has_part_folders, samples_of_folders
from bearing_search.data.layouts.left_out import remarks_on_folders
from bearing_search.data.layouts.manifest import (
    MANIFEST,
    has_manifest,
    remarks_on_manifest,
    samples_of_manifest,
)
from bearing_search.data.remarks import Remark
from bearing_search.data.samples import Sample


def no_remarks(root: Path, samples: Sequence[Sample]) -> Iterable[Remark]:
    """Return no remarks."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReader:
    """One layout of files; its name is its key in `DATA_READERS`.

    Its functions must be at the top level of a module, because workers import them by name.
    """

    wanted: str
    """What a data set of this layout holds, for the error if no reader recognises a folder."""

    recognises: Callable[[Path], bool]
    """Whether an existing folder has this layout. If so, no other reader is tried."""

    read: Callable[[Path], Iterable[Sample]]
    """Lists all samples in any order, without opening an image; raises DataError if the layout has
    a flaw. `load_data_set` sorts them, and makes the checks common to all layouts."""

    remarks: Callable[[Path, Sequence[Sample]], Iterable[Remark]] = no_remarks
    """Remarks on the files for `check` to show, such as which are left out."""


DATA_READERS: dict[str, DataReader] = {
    "manifest": DataReader(
        wanted=MANIFEST,
        recognises=has_manifest,
        read=samples_of_manifest,
        remarks=remarks_on_manifest,
    ),
    "folders": DataReader(
        wanted=LAYOUT,
        recognises=has_part_folders,
        read=samples_of_folders,
        remarks=remarks_on_folders,
    ),
}
"""Name -> reader, tried in this order: a manifest takes precedence over folders."""


def reader_of(root: Path) -> str | None:
    """Name of the first reader that recognises the folder, or None."""
    return next((name for name, one in DATA_READERS.items() if one.recognises(root)), None)
