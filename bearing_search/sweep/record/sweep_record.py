"""The content of sweep.json, with its defaults and checks."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bearing_search.config import (
    FIRST_SCHEME,
    LATEST_SCHEME,
    TrialConfig,
    config_digest,
    setting_digest,
    to_plain,
)
from bearing_search.errors import ConfigError
from bearing_search.measurement import objective_at
from bearing_search.stage_cache.key import STAGES_VERSION
from bearing_search.sweep.record.accepted_change import AcceptedChange
from bearing_search.sweep.record.allowed_leak import AllowedLeak
from bearing_search.sweep.record.provenance import git_commit, package_versions
from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.record.urls import refuse_password
from bearing_search.trial_history.records import SweepTask

MAX_FAILURES = 3
"""Default maximum of restarts per trial."""

MAX_TRIALS = 1_000_000
"""Maximum target."""

_NAME = re.compile(r"\w[\w.\-]{0,79}")
_RESERVED = {"cache", "check", "mlartifacts"}
PREFIXES: Mapping[SweepTask, str] = {"search": "val", "reproduction": "test"}
"""The first part of the names of a task's metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedPlan:
    """Settings to run under several seeds. The extra runs do not count towards the target."""

    audit: int = 0
    """Number of seeds for the base setting, trial 0 included; 0 or 1: no audit."""

    finalists: int = 0
    """Number of best settings to run again once the target is reached."""

    each: int = 3
    """Number of seeds for each finalist, its first run included."""

    def __post_init__(self) -> None:
        if self.audit < 0 or self.finalists < 0:
            raise ConfigError(f"audit {self.audit}, finalists {self.finalists}: at least 0")
        if self.each < 2:
            raise ConfigError(f"seeds is {self.each}; finalists need at least 2")

    @property
    def num_runs(self) -> int:
        """Maximum number of trials that it adds."""
        return max(self.audit - 1, 0) + self.finalists * (self.each - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorTrial:
    """A trial of an earlier sweep, for the sampler to learn from."""

    source: str
    """Sweep and number: `first/3`."""

    suggestion: Mapping[str, Any]
    value: float
    measured: Mapping[str, float] = field(default_factory=dict)
    """Metrics for the new sweep's further objectives and constraints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRecord:
    """The content of sweep.json: the search space, the data, and how to search."""

    name: str
    space_text: str
    """Text of the search-space file."""

    space_source: str = ""
    """Where it was read from, for display."""

    data: str
    """Path of the data set: relative to the results folder if it is inside, else absolute."""

    data_digest: str
    bits: Mapping[str, int] = field(default_factory=dict)
    """Part -> bits that its 16-bit files use, as found in train when the sweep began. A part of
    8-bit files is missing, as are those of sweeps of before."""

    data_changed: str = ""
    """When it was noticed that the data had changed while trials ran, ISO 8601; empty: never."""

    allowed_leak: AllowedLeak | None = None
    """Leaks that were found and allowed; None: no leak was found."""

    target: int = 0
    """Trials wanted, complete or pruned. `resume --trials` raises it. For a grid it is the number
    of points, which `create_sweep` fills in."""

    task: SweepTask = "search"
    """`search`: trials are scored on held-out folds of train. `reproduction`: every point of the
    grid is trained on all of train and scored on test; nothing is selected."""

    objective: str = ""
    """Metric to optimise, which a trial reports at its end: AUROC of whole images where the space
    asks for it or masks are missing, else pixel AUPRO. Empty: pixel AUPRO."""

    sampler: str = "tpe"
    """Sampler, by name (`SAMPLERS`); `grid`: every point of the space once."""

    seed: int = 0
    """Seed of the sampler."""

    folds: int | None = None
    """Replaces the space's `split.folds`; None: keeps it."""

    pruner: str = "none"
    """Pruner, by name (`PRUNERS`): ends unpromising trials after each fold."""

    max_failures: int = MAX_FAILURES
    """Maximum restarts of a trial, from its last checkpoint, after its process died or raised an
    error other than a BearingSearchError."""

    storage: str = ""
    """Database URL of the ledger; empty: ledger.db in the sweep's folder. The path of a sqlite file
    is relative to the results folder if it is inside, here and in `tracking_uri`."""

    tracking_uri: str = ""
    """MLflow tracking URI; empty: mlflow.db in the results folder."""

    home: str = ""
    """The sweep's folder when it was last driven, if it has a store outside the results folder: a
    copy of the folder must not write to that store as well."""

    shares_stages: bool = True
    """Whether trials read and write the shared stage cache."""

    stops_when_converged: bool = False
    """Whether to stop early once more trials are not worthwhile (`planning.stagnation`)."""

    seeds: SeedPlan = field(default_factory=SeedPlan)
    known: tuple[PriorTrial, ...] = ()
    """Trials of an earlier sweep that the sampler learns from; they do not belong to this one."""

    resources: Resources = field(default_factory=Resources)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    """How maps are scored; the same for every trial."""

    versions: Mapping[str, str] = field(default_factory=lambda: package_versions())
    stages: Mapping[str, int] = field(default_factory=lambda: dict(STAGES_VERSION))
    """Stage -> version of the code that determines its numbers."""

    digest_scheme: int = LATEST_SCHEME
    """How configs are digested (`config.digest`); it never changes. A sweep.json without this field
    has scheme 1, see `with_digest_scheme`."""

    changes: tuple[AcceptedChange, ...] = ()
    git_commit: str = field(default_factory=lambda: git_commit())
    """Git commit of the package's checkout; empty: none. `+` marks uncommitted changes."""

    created: str = field(default_factory=lambda: datetime.now().astimezone().isoformat())
    sweep_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @property
    def notes(self) -> tuple[str, ...]:
        """Caveats that every report of the sweep must state."""
        leak = [self.allowed_leak.sentence] if self.allowed_leak else []
        data = []
        if self.data_changed:
            data = [
                f"DATA CHANGED while trials ran (noticed on {self.data_changed}): scores of this "
                "sweep may be of other data."
            ]
        return (*leak, *data, *(change.sentence for change in self.changes))

    def config_digest(self, config: TrialConfig) -> str:
        """Digest of a config in the sweep's scheme."""
        return config_digest(to_plain(config), self.digest_scheme)

    def setting_digest(self, config: TrialConfig) -> str:
        """Digest of a config without its seed, in the sweep's scheme."""
        return setting_digest(to_plain(config), self.digest_scheme)

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.objective:
            object.__setattr__(self, "objective", objective_at("pixel", PREFIXES[self.task]))
        if self.target > MAX_TRIALS:
            raise ConfigError(f"trials is {self.target}; at most {MAX_TRIALS}")
        if self.max_failures < 0:
            raise ConfigError(f"max failures is {self.max_failures}; at least 0")
        refuse_password(storage=self.storage, tracking_uri=self.tracking_uri)
        self._check_task()

    def _check_task(self) -> None:
        split = PREFIXES[self.task]
        if not self.objective.startswith(f"{split}/"):
            raise ConfigError(
                f"objective is {self.objective}; metrics of a {self.task} begin with {split}/"
            )
        if self.task == "reproduction" and self.seeds.num_runs:
            raise ConfigError("a reproduction has no audit or finalists; vary `seed` instead")


def with_digest_scheme(raw: Any) -> dict[str, Any]:
    """The content of a sweep.json, with scheme 1 filled in if it names none.

    Raises:
        ConfigError: this version of the package does not know the scheme, or `raw` is not a
            mapping.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"expected a mapping with the fields of a sweep, found {raw!r}")
    scheme = raw.get("digest_scheme", FIRST_SCHEME)
    if scheme not in range(FIRST_SCHEME, LATEST_SCHEME + 1):
        versions = raw.get("versions")
        theirs = versions.get("bearing_search") if isinstance(versions, Mapping) else None
        raise ConfigError(
            f"digest_scheme is {scheme!r}, known are {FIRST_SCHEME} to {LATEST_SCHEME}; use the "
            f"version of bearing_search that began the sweep ({theirs or 'unknown'}) or a later one"
        )
    return {**raw, "digest_scheme": scheme}


def check_name(name: str) -> None:
    """Refuse a name that is not a plain folder name.

    Raises:
        ConfigError: the name is invalid or reserved.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise ConfigError(
            f"{name!r} is not a valid sweep name: use at most 80 letters, digits, dots, dashes and "
            f"underscores, not starting with a dot or dash, and not {' or '.join(_RESERVED)}"
        )
