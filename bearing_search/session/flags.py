"""Options of a session, named like the flags of the commands."""

from collections.abc import Sequence
from typing import TypedDict, Unpack, get_args

from bearing_search.errors import ConfigError
from bearing_search.sweep.record.accepted_change import Changeable
from bearing_search.sweep.record.resources import Resources
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.record.sweep_record import SeedPlan, SweepRecord


class ResourceFlags(TypedDict, total=False):
    """Options of a new sweep; a key that is missing or None takes its default."""

    gpus_per_trial: float | None
    """.5 puts two trials on one GPU. Default: 1 if there is any GPU."""

    cpus_per_trial: int | None
    """Cores, and threads, of each trial."""

    concurrent: int | None
    """Maximum number of trials that run at the same time."""

    address: str | None
    """Existing Ray cluster, as host:port."""

    depot: str | None
    """URL where trials keep their folders, for nodes that share no results folder."""

    time_budget: float | None
    """Seconds after which trials stop and stay resumable."""

    gpu_hours: float | None
    """GPU hours after which trials stop and stay resumable."""

    max_failures: int | None
    """Maximum restarts of a trial after its process died or raised. Default: 3."""

    trial_timeout: float | None
    """Seconds after which a trial fails."""

    audit: int | None
    """Number of seeds with which the base setting is run."""

    finalists: int | None
    """Number of best settings that are run again with other seeds."""

    seeds: int | None
    """Number of seeds of each finalist, its first run included."""

    stop_when_converged: bool | None
    """End below the target once 20 trials have brought no significant gain."""


class SessionFlags(ResourceFlags, total=False):
    """Options of a session of an existing sweep; a missing key changes nothing."""

    trials: int | None
    """Target number of complete or pruned trials."""

    retry_failed: bool
    """Run failed trials again, before anything else."""

    join: bool
    """Drive the sweep together with other drivers (PostgreSQL only)."""


def session_options(
    kept: SweepRecord | None = None, **flags: Unpack[SessionFlags]
) -> SessionOptions:
    """The session options given by the flags.

    Args:
        kept: record of an existing sweep, whose resources and seeds apply unless a flag replaces
            them. None: the sweep is new.
        flags: see `SessionFlags`.

    Raises:
        ConfigError: the resources or seeds are invalid.
    """
    asked = Resources(
        gpus_per_trial=flags.get("gpus_per_trial"),
        cpus_per_trial=flags.get("cpus_per_trial"),
        concurrent=flags.get("concurrent"),
        address=flags.get("address"),
        depot=flags.get("depot"),
    )
    gpu_hours = flags.get("gpu_hours")
    return SessionOptions(
        target=flags.get("trials"),
        resources=recorded_or_asked(kept.resources, asked) if kept else asked,
        seeds=_seed_plan(kept.seeds if kept else SeedPlan(), flags),
        max_failures=flags.get("max_failures"),
        stops_when_converged=flags.get("stop_when_converged"),
        time_budget_s=flags.get("time_budget"),
        gpu_budget_s=None if gpu_hours is None else 3600 * gpu_hours,
        trial_timeout_s=flags.get("trial_timeout"),
        retries_failed=flags.get("retry_failed", False),
        join=flags.get("join", False),
    )


def recorded_or_asked(kept: Resources, asked: Resources) -> Resources:
    """The requested resources, completed by those that the sweep recorded."""
    return Resources(
        gpus_per_trial=(
            kept.gpus_per_trial if asked.gpus_per_trial is None else asked.gpus_per_trial
        ),
        cpus_per_trial=asked.cpus_per_trial or kept.cpus_per_trial,
        concurrent=asked.concurrent or kept.concurrent,
        address=asked.address or kept.address,
        depot=asked.depot or kept.depot,
    )


def accepted_changes(names: Sequence[str]) -> list[Changeable]:
    """The accepted changes, without duplicates.

    Raises:
        ConfigError: a name is not one of the changes that can be accepted.
    """
    known: tuple[Changeable, ...] = get_args(Changeable)
    for name in names:
        if name not in known:
            also = ", never the data" if name == "data" else ""
            raise ConfigError(f"--accept-change {name}: only {' and '.join(known)}{also}")
    return [one for one in known if one in names]


def _seed_plan(kept: SeedPlan, flags: SessionFlags) -> SeedPlan | None:
    """The seeds requested by flags, completed by the recorded ones; None: no flag sets any."""
    audit, finalists, each = flags.get("audit"), flags.get("finalists"), flags.get("seeds")
    if (audit, finalists, each) == (None, None, None):
        return None
    return SeedPlan(
        audit=kept.audit if audit is None else audit,
        finalists=kept.finalists if finalists is None else finalists,
        each=each or kept.each,
    )
