"""A trial as the ledger has it, and how a session of a sweep ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from bearing_search.measurement import COMPUTED_S, MICRO_BATCH, SAVED_S
from bearing_search.search_space.objectives import ObjectiveValues

TrialState = Literal["waiting", "running", "stopped", "complete", "pruned", "failed"]
"""`waiting`: drawn, not begun. `stopped`: begun, goes on at `resume`. The last three are final."""

TrialPurpose = Literal["search", "default", "audit", "finalist"]
"""Why a trial is run. `search`: the sampler drew it. `default`: trial 0, the base's own setting.
`audit`: that setting under another seed. `finalist`: one of the best settings under another."""

COUNTED: tuple[TrialPurpose, ...] = ("default", "search")
"""Purposes of the trials that count towards a sweep's target."""

SweepTask = Literal["search", "reproduction"]
"""`search`: find the best setting on train. `reproduction`: score given settings on test."""

FINAL_STATES: tuple[TrialState, ...] = ("complete", "pruned", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One trial as the ledger has it."""

    number: int
    state: TrialState
    suggestion: Mapping[str, Any] = field(default_factory=dict)
    """Dotted path -> value along every axis; empty while it is still being drawn."""

    digest: str = ""
    """Digest of the trial's config, in the sweep's scheme."""

    identity: str = ""
    """Digest of all that its score depends on: config, data, folds, seed, protocol and code."""

    is_refused: bool = False
    """It failed without being handed out: its setting is impossible, or has failed too often."""

    purpose: TrialPurpose = "search"
    same_as: int | None = None
    """The trial of the same config that this one's end was copied from; it was not trained."""

    retry_of: int | None = None
    """The failed trial that it runs again."""

    seed: int = 0
    """The config's seed."""

    setting: str = ""
    """Digest of the config without its seed: trials of one setting differ in their seed only."""

    prefix: tuple[str, ...] = ()
    """Digests of what other trials may share of its training; see `planning.shared_prefix`."""

    value: float | None = None
    """The objective, the first where there are several; only of complete trials."""

    judged: ObjectiveValues = field(default_factory=ObjectiveValues)
    """What further objectives and constraints say of a complete trial."""

    reason: str = ""
    """Why it failed, what it was copied from, or which constraint it misses, in one line."""

    started: datetime | None = None
    """When it was drawn (local time)."""

    duration_s: float | None = None
    """From being drawn to its end, interruptions included; of final states only."""

    stage: str = ""
    """What it did when last heard of."""

    progress: float = 0.0
    """Share of its work that was done then."""

    computed_s: float | None = None
    """Seconds that it spent on its stages; None while that is not told."""

    saved_s: float | None = None
    """Seconds that other trials spent on the stages that it reused."""

    micro_batch: float | None = None
    """Samples that went through a network at once, where the device had no room for a batch."""

    @property
    def cost_s(self) -> float | None:
        """Seconds that its stages take, whoever spent them; its duration where that is not told."""
        if self.computed_s is None:
            return self.duration_s
        return self.computed_s + (self.saved_s or 0.0)

    def with_costs(self, values: Mapping[str, float]) -> "TrialRecord":
        """The same, with what its last measurement tells of its cost."""
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
    """What ended it before its target was reached; empty: nothing did."""

    why_done: str = "nothing is left to try"
    """Why nothing is left, of a sweep that is done below its target."""

    @property
    def shortfall(self) -> str:
        """Why it is done below its target; empty where it is not."""
        counted = [trial for trial in self.trials if trial.counts]
        if not self.is_done or len(counted) >= self.target:
            return ""
        tried = sum(trial.same_as is None for trial in counted)
        failed = self.count("failed")
        also = f" ({failed} failed)" if failed else ""
        return f"done after {tried} of {self.target} trials{also}: {self.why_done}"

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended it."""
        return self.stopped_by == "signal"

    def count(self, state: TrialState) -> int:
        """How many trials are in a state."""
        return sum(trial.state == state for trial in self.trials)


def trial_folder(sweep: Path, number: int) -> Path:
    """Folder of one trial of a sweep."""
    return sweep / "trials" / f"{number:05d}"
