"""How a sweep stands: read from its folder and ledger, changing nothing, also while it runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bearing_search.best import best_of
from bearing_search.journal import JOURNAL, last_measurement
from bearing_search.observer import SweepTask, TrialRecord
from bearing_search.sweep.folder import SweepFolder
from bearing_search.sweep.session import holder
from bearing_search.sweep.trials import read_records


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepStatus:
    """A sweep at one moment."""

    name: str
    folder: Path
    created: str
    target: int
    task: SweepTask
    objective: str
    """The metric that a trial's value is."""

    holder: str
    """Which process drives it; empty: none, so that running trials are `stopped`."""

    notes: Sequence[str]
    """What every report of the sweep must say."""

    trials: Sequence[TrialRecord]
    """With stage and progress of what each was last heard of."""

    @property
    def best(self) -> TrialRecord | None:
        """See `best_of`; None where nothing is chosen by it."""
        return best_of(self.trials) if self.task == "search" else None

    @property
    def saved_s(self) -> float:
        """Seconds of compute that sharing stages has saved so far."""
        return sum(trial.saved_s or 0.0 for trial in self.trials)

    @property
    def num_finished(self) -> int:
        """Trials that count towards the target."""
        return sum(trial.counts for trial in self.trials)


def sweep_status(folder: SweepFolder) -> SweepStatus:
    """Read how a sweep stands.

    Raises:
        SweepError: its ledger cannot be read.
    """
    driver = holder(folder)
    has_ledger = folder.record.storage or (folder.root / "ledger.db").exists()
    records = read_records(folder.storage_url, folder.study_name) if has_ledger else []
    return SweepStatus(
        name=folder.record.name,
        folder=folder.root,
        created=folder.record.created,
        target=folder.record.target,
        task=folder.record.task,
        objective=folder.record.objective,
        holder=driver,
        notes=folder.record.notes,
        trials=[_with_progress(folder, record, is_driven=bool(driver)) for record in records],
    )


def _with_progress(folder: SweepFolder, record: TrialRecord, *, is_driven: bool) -> TrialRecord:
    last = last_measurement(folder.trial_folder(record.number) / JOURNAL)
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
