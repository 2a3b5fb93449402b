"""A sweep's paths while its results folder is moved or copied.

What lies inside the results folder is recorded relative to it: data, and sqlite files given as
`--storage` or `--tracking-uri`. A store outside is shared by all copies of a sweep, so only one of
them may write to it.
"""

import json
from dataclasses import replace
from pathlib import Path

from bearing_search.errors import SweepError
from bearing_search.filesystem.database_url import sqlite_file, with_sqlite_file
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.text.passwords import without_password


def with_relative_paths(record: SweepRecord, results: Path) -> SweepRecord:
    """The record with paths relative to the results folder if they are inside, else absolute.

    Args:
        results: absolute path of the results folder.
    """
    return replace(
        record,
        data=str(_relative(Path(record.data), results)),
        storage=_relative_url(record.storage, results),
        tracking_uri=_relative_url(record.tracking_uri, results),
    )


def absolute_url(url: str, results: Path) -> str:
    """A recorded URL with the absolute path of its sqlite file, if it names one; empty: empty."""
    file = sqlite_file(url) if url else None
    return url if file is None or file.is_absolute() else with_sqlite_file(url, results / file)


def stores_outside(record: SweepRecord) -> list[str]:
    """URLs of the ledger and of MLflow that lie outside the results folder."""
    return [url for url in (record.storage, record.tracking_uri) if url and not _is_inside(url)]


def checked_home(root: Path, record: SweepRecord) -> SweepRecord:
    """The record of the sweep in `root`, about to be driven from there.

    Raises:
        SweepError: it is a copy of a sweep that still exists, and both have a store outside the
            results folder.
    """
    stores = stores_outside(record)
    home = Path(record.home)
    if not stores or record.home == str(root):
        return record
    if record.home and _is_copy(home / "sweep.json", root / "sweep.json", record.sweep_id):
        raise SweepError(
            f"{record.name}: is a copy of {home}, and both would write to "
            f"{' and '.join(map(without_password, stores))}. Continue the original, remove it if "
            "the copy replaces it, or start a new sweep with --warm-start"
        )
    return replace(record, home=str(root))


def _is_copy(original: Path, copy: Path, sweep_id: str) -> bool:
    try:
        if original.samefile(copy):  # one folder under two paths
            return False
        return bool(json.loads(original.read_text(encoding="utf-8"))["sweep_id"] == sweep_id)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _is_inside(url: str) -> bool:
    file = sqlite_file(url)
    return file is not None and not file.is_absolute()


def _relative(path: Path, results: Path) -> Path:
    path = path.resolve()
    return path.relative_to(results) if path.is_relative_to(results) else path


def _relative_url(url: str, results: Path) -> str:
    file = sqlite_file(url) if url else None
    return url if file is None else with_sqlite_file(url, _relative(file, results))
