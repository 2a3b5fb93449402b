"""Finds the sweeps of a results folder without reading them."""

import difflib
from pathlib import Path

from bearing_search.errors import SweepError
from bearing_search.sweep.record.sweep_record import check_name
from bearing_search.text.lists import first_of

LEDGER = "ledger.db"
"""The Optuna study in a sweep's folder, unless --storage was given."""

_MARKS = ("sweep.json", "trials", LEDGER)
"""A folder that has one of these is a sweep's, even if the others were deleted."""


def find_sweep(results: Path, name: str) -> Path:
    """Find the folder of a sweep without reading it.

    Raises:
        SweepError: there is no sweep of that name; suggests a similar one.
    """
    check_name(name)
    root = results.resolve() / name
    known = list_sweeps(results)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"existing: {first_of(known) or 'none'}"
        raise SweepError(f"{name}: no such sweep in {results}; {hint}")
    return root


def list_sweeps(results: Path) -> list[str]:
    """Names of all sweeps in a results folder, oldest first.

    Raises:
        SweepError: the folder cannot be read.
    """
    try:
        folders = list(results.iterdir()) if results.is_dir() else []
        sweeps = [one for one in folders if any((one / mark).exists() for mark in _MARKS)]
        return [one.name for one in sorted(sweeps, key=_created)]
    except OSError as error:
        raise SweepError(f"{results}: cannot be read ({error.strerror})") from None


def begun_trials(root: Path) -> list[int]:
    """Numbers of the trials that have a folder, in order."""
    names = (one.name for one in root.glob("trials/*"))
    return sorted(int(name) for name in names if name.isdecimal())


def refuse_lost_ledger(root: Path, place: str) -> None:
    """Refuse a ledger that knows no trial although trials have begun: it was deleted or emptied.

    Args:
        root: the sweep's folder.
        place: where the ledger is, for display.

    Raises:
        SweepError: there are trials.
    """
    if begun := begun_trials(root):
        raise SweepError(
            f"{place}: the ledger is missing or empty, but {root / 'trials'} holds "
            f"{len(begun)} trial{'s' * (len(begun) > 1)}; restore it from a backup, or start a new "
            "sweep under another name"
        )


def _created(sweep: Path) -> float:
    record = sweep / "sweep.json"
    return (record if record.exists() else sweep).stat().st_mtime
