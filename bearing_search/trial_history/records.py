"""Records of a trial, as stored in the ledger, and of how a session of a sweep ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from bearing_search.config import TrialConfig, parse
from bearing_search.filesystem.stored_file import naming_damage, read_json_object
from bearing_search.measurement import COMPUTED_S, MICRO_BATCH, SAVED_S
from bearing_search.search_space.objectives import ObjectiveValues

TrialState = Literal["waiting", "running", "stopped", "complete", "pruned", "failed"]
"""`waiting`: enqueued, not started. `stopped`: started, to be resumed. The last three are final."""

TrialPurpose = Literal["search", "default", "audit", "finalist"]
"""Why a trial is run. `search`: part of the search or of a grid. `default`: trial 0, the base
setting. `audit`: the base setting under another seed. `finalist`: a top setting under another seed.
"""

COUNTED: tuple[TrialPurpose, ...] = ("default", "search")
"""Purposes that count towards a sweep's target."""

SweepTask = Literal["search", "reproduction"]
"""`search`: find the best setting on train. `reproduction`: score given settings on test."""

FINAL_STATES: tuple[TrialState, ...] = ("complete", "pruned", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One trial, as stored in the ledger."""

    number: int
    state: TrialState
    suggestion: Mapping[str, Any] = field(default_factory=dict)
    """Dotted path -> value of every varied setting; empty while it is still being drawn."""

    digest: str = ""
    """Digest of the trial's config, in the sweep's scheme."""

    identity: str = ""
    """Digest of everything its score depends on: config, data, folds, seed, protocol and code."""

    is_refused: bool = False
    """Whether it failed without being run: its setting is invalid, or has failed too often."""

    purpose: TrialPurpose = "search"
    same_as: int | None = None
    """Trial of the same config whose result was copied instead of training this one."""

    retry_of: int | None = None
    """Failed trial that this one retries."""

    seed: int = 0
    """Seed of the config."""

    setting: str = ""
    """Digest of the config without its seed: trials of one setting differ only in the seed."""

    prefix: tuple[str, ...] = ()
    """Digests of the training stages that other trials may share; see `planning.shared_prefix`."""

    value: float | None = None
    """First objective of a complete trial, else None."""

    judged: ObjectiveValues = field(default_factory=ObjectiveValues)
    """Further objectives and constraint violations of a complete trial."""

    reason: str = ""
    """Why it failed, what it was copied from, or which constraint it violates, in one line."""

    started: datetime | None = None
    """Local time at which it was drawn."""

    duration_s: float | None = None
    """Seconds from being drawn to its end, interruptions included; final states only."""

    stage: str = ""
    """Stage of its last measurement."""

    progress: float = 0.0
    """Fraction of its work that was done by then."""

    computed_s: float | None = None
    """Seconds that it spent computing its stages; None if not reported."""

    saved_s: float | None = None
    """Seconds that other trials spent on the stages that it reused."""

    micro_batch: float | None = None
    """Samples per micro-batch, if the device had no room for a whole batch; else None."""

    @property
    def cost_s(self) -> float | None:
        """Seconds that its stages take, reused ones included; its duration if not reported."""
        if self.computed_s is None:
            return self.duration_s
        return self.computed_s + (self.saved_s or 0.0)

    def with_costs(self, values: Mapping[str, float]) -> "TrialRecord":
        """Copy of the record with the costs from the values of its last measurement."""
        return replace(
            self,
            computed_s=values.get(COMPUTED_S),
            saved_s=values.get(SAVED_S),
            micro_batch=values.get(MICRO_BATCH),
        )

    @property
    def counts(self) -> bool:
        """Whether it counts towards the sweep's target."""
        return self.state in ("complete", "pruned") and self.purpose in COUNTED


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOutcome:
    """How a session of a sweep ended."""

    target: int
    trials: Sequence[TrialRecord]
    is_done: bool = True
    """Whether nothing is left to run."""

    stopped_by: Literal["", "signal", "time budget", "GPU hours", "stop file"] = ""
    """What ended it before the target was reached; empty: nothing."""

    why_done: str = "nothing is left to try"
    """Why a sweep can be done below its target."""

    @property
    def shortfall(self) -> str:
        """Why the sweep ended below its target; empty if it did not."""
        counted = [trial for trial in self.trials if trial.counts]
        if not self.is_done or len(counted) >= self.target:
            return ""
        tried = sum(trial.same_as is None for trial in counted)
        failed = self.count("failed")
        also = f" ({failed} failed)" if failed else ""
        return f"done after {tried} of {self.target} trials{also}: {self.why_done}"

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended the session."""
        return self.stopped_by == "signal"

    def count(self, state: TrialState) -> int:
        """Number of trials in a state."""
        return sum(trial.state == state for trial in self.trials)


def trial_folder(sweep: Path, number: int) -> Path:
    """Folder of one trial of a sweep."""
    return sweep / "trials" / f"{number:05d}"


def trial_config(sweep: Path, number: int) -> TrialConfig:
    """The config with which a trial was run.

    Raises:
        DamagedFileError: its config.json is missing or damaged.
    """
    file = trial_folder(sweep, number) / "config.json"
    with naming_damage(file):
        return parse(TrialConfig, read_json_object(file))
