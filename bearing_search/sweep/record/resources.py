"""Plans the resources of each trial before anything starts. Independent of Ray."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bearing_search.errors import ConfigError, ResourceError
from bearing_search.sweep.record.urls import refuse_password

MAX_CPU_TRIALS = 4
"""Default maximum of concurrent trials on machines without a GPU."""

MIN_GPU_SHARE = 0.001
"""Smallest share of a GPU that a trial may request; Ray counts in ten-thousandths."""

MAX_COUNT = 1_000_000
"""Most cores of a trial, and most concurrent trials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Resources that the user requested; None leaves the decision to `plan_resources`."""

    gpus_per_trial: float | None = None
    """Fraction of a GPU, or a whole number of GPUs; 0 hides them. None: 1 if there are any."""

    cpus_per_trial: int | None = None
    """Cores, and threads, of each trial. None: an even share."""

    concurrent: int | None = None
    """Maximum number of trials that run at once. None: as many as fit (on CPUs at most 4)."""

    address: str | None = None
    """An existing Ray cluster. None: Ray is started on this machine."""

    depot: str | None = None
    """URL of the depot for trial folders, if nodes cannot access the sweep's. None: they can."""

    def __post_init__(self) -> None:
        refuse_password(address=self.address or "", depot=self.depot or "")
        gpus = self.gpus_per_trial
        if gpus is not None and not (0 <= gpus < math.inf):
            raise ConfigError(f"gpus per trial is {gpus:g}; expected a number from 0")
        if gpus is not None and 0 < gpus < MIN_GPU_SHARE:
            raise ConfigError(
                f"gpus per trial is {gpus:g}; expected 0, or at least {MIN_GPU_SHARE:g}"
            )
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            raise ConfigError(f"gpus per trial is {gpus:g}; expected at most 1 or a whole number")
        for name in ("cpus_per_trial", "concurrent"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; at least 1")
            if value is not None and value > MAX_COUNT:
                raise ConfigError(f"{name} is more than {MAX_COUNT:,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine of a cluster."""

    cpus: float
    gpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResources:
    """Resources of every running trial."""

    cpus: float
    """Cores requested from the scheduler; below 1 with more concurrent trials than cores."""

    gpus: float
    threads: int
    """Threads of the trial's numeric libraries."""

    concurrent: int
    """Maximum number of concurrent trials."""

    starting: int
    """Maximum number of workers that start concurrently: each occupies a core for a second, and
    with few cores, starting four at once takes longer than one by one while three GPUs compute."""


def plan_resources(resources: Resources, nodes: Sequence[Node]) -> TrialResources:
    """Fill in what the user left open, and refuse requests that could never be scheduled.

    Raises:
        ResourceError: no node has the resources requested for a trial.
    """
    gpus = resources.gpus_per_trial
    if gpus is None:
        gpus = 1.0 if any(node.gpus >= 1 for node in nodes) else 0.0
    _refuse_impossible(gpus, resources.cpus_per_trial, nodes)
    fit = [_fitting(node, gpus, resources.cpus_per_trial) for node in nodes]
    slots = max(1, sum(fit))
    if resources.concurrent is not None:
        slots = min(slots, resources.concurrent)
    elif not gpus and resources.cpus_per_trial is None:
        slots = min(slots, MAX_CPU_TRIALS)
    share = resources.cpus_per_trial or (
        # limited by the node with the fewest cores per GPU, or some of its GPUs would stay idle
        min(node.cpus / min(n, slots) for node, n in zip(nodes, fit, strict=True) if n)
        if gpus
        else sum(node.cpus for node in nodes) / slots
    )
    return TrialResources(
        # rounded down, or the last trial would not fit
        cpus=float(int(share)) if share >= 1 else int(share * 100) / 100,
        gpus=gpus,
        threads=max(1, int(share)),
        concurrent=slots,
        starting=min(slots, max(1, int(sum(node.cpus for node in nodes) / 2))),
    )


def _fitting(node: Node, gpus: float, cpus: int | None) -> int:
    """Number of trials that fit on a node at once."""
    by_cpus = int(node.cpus // (cpus or 1))
    if not gpus:
        return by_cpus
    per_gpu = int(1 / gpus + 1e-9)
    by_gpus = int(node.gpus) * per_gpu if gpus <= 1 else int(node.gpus // gpus)
    return by_gpus if cpus is None else min(by_gpus, by_cpus)


def _refuse_impossible(gpus: float, cpus: int | None, nodes: Sequence[Node]) -> None:
    most_gpus = max((node.gpus for node in nodes), default=0)
    if gpus > most_gpus:
        where = f"{most_gpus:g} on its largest node" if len(nodes) > 1 else f"{most_gpus:g}"
        raise ResourceError(
            f"requested {gpus:g} GPU{'s' if gpus != 1 else ''} per trial; this "
            f"{'cluster has' if len(nodes) > 1 else 'machine has'} {where}. "
            "Lower --gpus-per-trial (0 trains on the CPU)"
        )
    most_cpus = max((node.cpus for node in nodes), default=0)
    if cpus is not None and cpus > most_cpus:
        raise ResourceError(
            f"requested {cpus} CPU cores per trial; the largest machine has {most_cpus:g}. "
            "Lower --cpus-per-trial"
        )
