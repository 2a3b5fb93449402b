"""What a running sweep tells its callbacks: MLflow, a progress display."""

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
    """A sweep as its callbacks meet it, before the first trial of this session starts."""

    name: str
    sweep_id: str
    """Tells sweeps of one name in different results folders apart."""

    folder: Path
    target: int
    """How many trials are to be complete or pruned."""

    is_shared: bool = False
    """Whether other drivers may run trials of it at the same time."""

    num_seed_runs: int = 0
    """How many trials come on top, at most: settings run again under other seeds."""

    task: SweepTask = "search"
    objective: str = OBJECTIVE
    """The metric that a trial ends with."""

    facts: Mapping[str, str] = field(default_factory=dict)
    """What belongs to the whole sweep: question, data, digests, versions."""

    trials: Sequence[TrialRecord] = ()
    """Trials of earlier sessions."""

    def trial_folder(self, number: int) -> Path:
        """Folder of one trial: `trials/00003`."""
        return trial_folder(self.folder, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted:
    """A trial was handed out, for the first time or again."""

    number: int
    config: TrialConfig
    digest: str
    """Digest of the config, in the sweep's scheme."""

    suggestion: Mapping[str, Any]
    """Dotted path -> value along every axis."""

    purpose: TrialPurpose = "search"
    identity: str = ""
    """Digest of all that its score depends on: config, data, folds, seed, protocol and code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """A trial ended as `complete`, `pruned` or `failed`, or was `stopped` to go on later."""

    number: int
    state: TrialState
    value: float | None = None
    """The objective, of a complete trial."""

    reason: str = ""
    """Why it failed or stopped, or which constraint it misses; `same as trial 3` where it was not
    trained at all."""


@runtime_checkable
class SweepCallback(Protocol):
    """Called at every event of a sweep, in the driver process, one call at a time."""

    def on_sweep_start(self, sweep: SweepView) -> None:
        """A session begins; nothing runs yet."""
        ...

    def on_trial_start(self, trial: TrialStarted) -> None:
        """A trial was handed out, for the first time or again."""
        ...

    def on_measurement(self, number: int, measurement: Measurement) -> None:
        """A measurement arrived; a trial that goes on repeats those of earlier sessions."""
        ...

    def on_trial_end(self, trial: TrialEnded) -> None:
        """A trial ended for good, or was stopped to go on later."""
        ...

    def on_sweep_end(self, outcome: SweepOutcome) -> None:
        """The session is over; also called when an error ends it."""
        ...
