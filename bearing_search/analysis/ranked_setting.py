"""What a ranking of settings is made of: sweeps with their trials, settings with their scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bearing_search.analysis.intervals import Interval
from bearing_search.search_space.objectives import ObjectiveValues
from bearing_search.training.cost import CostOfUse
from bearing_search.trial_history.best import once_per_config
from bearing_search.trial_history.held_out_defects import HeldOutDefects
from bearing_search.trial_history.records import TrialRecord, trial_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepTrials:
    """A sweep's trials, for ranking."""

    name: str
    folder: Path
    records: Sequence[TrialRecord]

    @property
    def scored(self) -> list[TrialRecord]:
        """The complete trials with stored scores; those that copied another's result have none."""
        return [
            record
            for record in once_per_config(self.records)
            if record.state == "complete"
            and any(trial_folder(self.folder, record.number).glob("*/*/scored.npz"))
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedSetting:
    """One setting with its trials, one per seed."""

    sweep: str
    """Name of its sweep if several are compared, else empty."""

    folder: Path
    """Folder of its sweep."""

    trials: tuple[TrialRecord, ...]
    """Complete trials, by number; `value` is their mean."""

    value: Interval
    image_auroc: Interval
    is_tied: bool
    """Whether it satisfies all constraints, is comparable, and is not shown to be worse than
    another such setting."""

    is_comparable: bool
    """Whether it was scored on the same drawn defects, if any, as most settings."""

    defects: HeldOutDefects

    judged: ObjectiveValues
    """Further objectives and constraint violations, averaged over the trials."""

    use: CostOfUse | None
    """Counted cost of using it, trained on all of train, as mean over parts; None: unknown."""

    @property
    def number(self) -> int:
        """Number of its first trial."""
        return self.trials[0].number

    @property
    def title(self) -> str:
        """`trial 3`, or `trial 3 of first` if several sweeps are compared."""
        return f"trial {self.number}" + (f" of {self.sweep}" if self.sweep else "")

    @property
    def is_default(self) -> bool:
        """Whether it is the base setting of its space (in `paper`, that of the paper)."""
        return any(trial.purpose == "default" for trial in self.trials)

    @property
    def cost_s(self) -> float:
        """Mean seconds per run, reused stages included; infinite if unknown. Decides nothing."""
        known = [trial.cost_s for trial in self.trials if trial.cost_s]
        return float(np.mean(known)) if known else math.inf
