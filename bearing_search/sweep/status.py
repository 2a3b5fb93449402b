"""Reads the status of a sweep from its folder and ledger; read-only, also while the sweep runs."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from bearing_search.errors import DamagedFileError
from bearing_search.filesystem.stored_file import naming_damage, read_json_object
from bearing_search.sweep.driver.stall_monitor import STALL_S
from bearing_search.sweep.folder.listing import LEDGER, refuse_lost_ledger
from bearing_search.sweep.folder.sweep_folder import END, SweepFolder
from bearing_search.sweep.locking.lock import current_driver
from bearing_search.sweep.study.trial_records import read_records
from bearing_search.text.passwords import without_password
from bearing_search.trial_history.best import best_of
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, last_measurement
from bearing_search.trial_history.records import SweepTask, TrialRecord

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepStatus:
    """Snapshot of a sweep."""

    name: str
    folder: Path
    created: str
    target: int
    task: SweepTask
    objective: str
    """Metric that `value` of a trial refers to."""

    holder: str
    """Process that drives it; empty: none, in which case running trials are shown as `stopped`."""

    ended: str
    """Why the last session ended below the target; empty if it reached it, or one is running."""

    notes: Sequence[str]
    """Caveats that every report of the sweep must state."""

    trials: Sequence[TrialRecord]
    """With the stage and progress of each trial's last measurement."""

    silent_s: Mapping[int, float] = field(default_factory=dict)
    """Running trial -> seconds since its last report, for trials silent for over STALL_S."""

    @property
    def best(self) -> TrialRecord | None:
        """The best trial of a search, see `best_of`; None in a reproduction."""
        return best_of(self.trials) if self.task == "search" else None

    @property
    def saved_s(self) -> float:
        """Seconds of compute saved so far by sharing stages."""
        return sum(trial.saved_s or 0.0 for trial in self.trials)

    @property
    def num_finished(self) -> int:
        """Number of trials that count towards the target."""
        return sum(trial.counts for trial in self.trials)


def sweep_status(folder: SweepFolder) -> SweepStatus:
    """Read the status of a sweep.

    Raises:
        SweepError: its ledger is lost or cannot be read.
    """
    driver = current_driver(folder)
    has_ledger = folder.record.storage or (folder.root / LEDGER).exists()
    records = read_records(folder.storage_url, folder.study_name) if has_ledger else []
    if not records:
        refuse_lost_ledger(folder.root, without_password(folder.storage_url))
    return SweepStatus(
        name=folder.record.name,
        folder=folder.root,
        created=folder.record.created,
        target=folder.record.target,
        task=folder.record.task,
        objective=folder.record.objective,
        holder=driver,
        ended=end_of(folder) if not driver else "",
        notes=folder.record.notes,
        silent_s=_last_reports(folder, records) if driver else {},
        trials=[_with_progress(folder, record, is_driven=bool(driver)) for record in records],
    )


def _last_reports(folder: SweepFolder, records: Sequence[TrialRecord]) -> dict[int, float]:
    """Seconds since each stalled trial's files last changed; a restart counts as a change."""
    found = {}
    for record in records:
        if record.state == "running":
            home = folder.trial_folder(record.number)
            files = [
                file for file in (home / MEASUREMENTS_FILE, home / "config.json") if file.exists()
            ]
            since = time.time() - max((file.stat().st_mtime for file in files), default=math.inf)
            if since > STALL_S:
                found[record.number] = since
    return found


def end_of(folder: SweepFolder) -> str:
    """Why the last session ended below its target; empty if it did not, runs, or was killed."""
    file = folder.root / END
    if not file.exists():
        return ""  # still running, or killed
    try:
        with naming_damage(file):
            return str(read_json_object(file)["why"])
    except DamagedFileError as error:
        return str(error)


def has_reached_target(root: Path) -> bool:
    """Whether a sweep has all its trials; a deleted one, too. False if it runs or was stopped.

    Args:
        root: the sweep's folder.
    """
    if not root.exists():
        return True
    try:
        return bool(read_json_object(root / END)["why"] == "")
    except (DamagedFileError, KeyError):
        return False


def _with_progress(folder: SweepFolder, record: TrialRecord, *, is_driven: bool) -> TrialRecord:
    try:
        last = last_measurement(folder.trial_folder(record.number) / MEASUREMENTS_FILE)
    except DamagedFileError as error:
        _LOG.warning("%s", error)
        last = None
    if last is not None:
        record = replace(record, stage=last.stage, progress=last.progress)
        record = record.with_costs(last.values)
    if record.state == "running":
        since = (datetime.now() - record.started).total_seconds() if record.started else None
        record = replace(
            record,
            state="running" if is_driven else "stopped",
            duration_s=since if is_driven else None,
        )
    return record
