"""What one session of a sweep may be asked, beyond what its record says."""

from dataclasses import dataclass, replace
from typing import Any

from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.record.sweep_record import SeedPlan, SweepRecord

_RECORDED = ("target", "resources", "seeds", "max_failures", "stops_when_converged")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How one session of a sweep runs. The first five are recorded, for later sessions, too."""

    target: int | None = None
    """Trials wanted, complete or pruned. None: as recorded."""

    resources: Resources | None = None
    """What each trial gets, and where. None: as recorded."""

    seeds: SeedPlan | None = None
    """Which settings are run under more than one seed. None: as recorded."""

    max_failures: int | None = None
    """Maximum restarts of a trial after a crash. None: as recorded."""

    stops_when_converged: bool | None = None
    """Whether the search ends below its target once more trials cannot pay. None: as recorded."""

    time_budget_s: float | None = None
    """After so many seconds no trial starts, and the running ones are asked to stop; they go on at
    the next session. None: no limit."""

    gpu_budget_s: float | None = None
    """The same, after the trials of this session have held GPUs for so many seconds in all."""

    trial_timeout_s: float | None = None
    """A trial that runs for longer in this session fails. None: no limit."""

    retries_failed: bool = False
    """Whether trials that failed have another go, as new trials."""

    join: bool = False
    """Drive the sweep together with those that do already. Target and seeds stay theirs, and the
    resources are this driver's own: nothing is recorded."""

    def applied_to(self, record: SweepRecord) -> SweepRecord:
        """The record, with what these options replace in it."""
        asked: dict[str, Any] = {name: getattr(self, name) for name in _RECORDED}
        return replace(record, **{name: one for name, one in asked.items() if one is not None})
