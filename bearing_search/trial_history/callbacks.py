"""The callback interface of a running sweep, as used by MLflow and the progress display."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from bearing_search.config import TrialConfig
from bearing_search.measurement import OBJECTIVE, Measurement
from bearing_search.trial_history.records import (
    SweepOutcome,
    SweepTask,
    TrialPurpose,
    TrialRecord,
    TrialState,
    trial_folder,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepView:
    """A sweep as its callbacks see it, before the first trial of this session starts."""

    name: str
    sweep_id: str
    """Distinguishes sweeps of the same name in different results folders."""

    folder: Path
    target: int
    """Number of trials wanted, complete or pruned."""

    is_shared: bool = False
    """Whether other drivers may run its trials at the same time."""

    num_seed_runs: int = 0
    """Maximum number of extra trials that run settings again under other seeds."""

    task: SweepTask = "search"
    objective: str = OBJECTIVE
    """Metric that a trial reports at its end, and that the sweep optimises."""

    parameters: Sequence[str] = ()
    """Dotted paths of the settings that its space varies."""

    facts: Mapping[str, str] = field(default_factory=dict)
    """Facts about the whole sweep: question, data, digests, versions."""

    trials: Sequence[TrialRecord] = ()
    """Trials of earlier sessions."""

    def trial_folder(self, number: int) -> Path:
        """Folder of one trial: `trials/00003`."""
        return trial_folder(self.folder, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted:
    """A trial was issued, for the first time or again."""

    number: int
    config: TrialConfig
    digest: str
    """Digest of the config, in the sweep's scheme."""

    suggestion: Mapping[str, Any]
    """Dotted path -> value of every varied setting."""

    purpose: TrialPurpose = "search"
    identity: str = ""
    """Digest of everything its score depends on: config, data, folds, seed, protocol and code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """A trial ended as `complete`, `pruned` or `failed`, or was `stopped` to be resumed later."""

    number: int
    state: TrialState
    value: float | None = None
    """Objective of a complete trial, else None."""

    reason: str = ""
    """Why it failed or stopped, or which constraint it violates; `same as trial 3` if it was not
    trained at all."""


@runtime_checkable
class SweepCallback(Protocol):
    """Observer of a sweep's events; called in the driver process, one call at a time."""

    def on_sweep_start(self, sweep: SweepView) -> None:
        """Called when a session begins, before any trial runs."""
        ...

    def on_trial_start(self, trial: TrialStarted) -> None:
        """Called when a trial is issued, for the first time or again."""
        ...

    def on_measurement(self, number: int, measurement: Measurement) -> None:
        """Called for each measurement; a resumed trial repeats those of earlier sessions."""
        ...

    def on_trial_end(self, trial: TrialEnded) -> None:
        """Called when a trial has ended, or was stopped to be resumed later."""
        ...

    def on_sweep_end(self, outcome: SweepOutcome) -> None:
        """Called at the end of the session, even if an error ended it."""
        ...
