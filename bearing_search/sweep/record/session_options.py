"""Options of one session of a sweep, some of which are stored in its record."""

import math
from dataclasses import dataclass, replace
from typing import Any

from bearing_search.errors import ConfigError
from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.record.sweep_record import SeedPlan, SweepRecord

_RECORDED = ("target", "resources", "seeds", "max_failures", "stops_when_converged")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How one session of a sweep runs. The first five are recorded for later sessions as well."""

    target: int | None = None
    """Trials wanted, complete or pruned. None: as recorded."""

    resources: Resources | None = None
    """Resources of each trial, and where it runs. None: as recorded."""

    seeds: SeedPlan | None = None
    """Settings to run under several seeds. None: as recorded."""

    max_failures: int | None = None
    """Maximum restarts of a trial after a crash. None: as recorded."""

    stops_when_converged: bool | None = None
    """Whether to stop early once more trials are not worthwhile. None: as recorded."""

    time_budget_s: float | None = None
    """Seconds after which no trial starts and the running ones are asked to stop; the next session
    resumes them. None: no limit."""

    gpu_budget_s: float | None = None
    """The same, in GPU seconds used by the trials of this session. None: no limit."""

    trial_timeout_s: float | None = None
    """Seconds after which a trial that runs in this session fails. None: no limit."""

    retries_failed: bool = False
    """Whether failed trials are retried, as new trials."""

    join: bool = False
    """Whether to share the sweep with drivers that are already active. Target and seeds stay as
    they are, and the resources apply to this driver only: nothing is recorded."""

    def __post_init__(self) -> None:
        for name in ("time_budget_s", "gpu_budget_s", "trial_timeout_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"{name} is {value:g}; expected a number above 0")

    def applied_to(self, record: SweepRecord) -> SweepRecord:
        """The record with the values that these options replace."""
        asked: dict[str, Any] = {name: getattr(self, name) for name in _RECORDED}
        return replace(record, **{name: one for name, one in asked.items() if one is not None})
