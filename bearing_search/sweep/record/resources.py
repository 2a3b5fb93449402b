"""Which share of the machine each trial gets, decided before anything starts. Knows no Ray."""

from collections.abc import Sequence
from dataclasses import dataclass

from bearing_search.errors import ConfigError, ResourceError

MAX_CPU_TRIALS = 4
"""Trials side by side where there is no GPU, unless asked otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What the user asked for; None leaves the decision to `plan_resources`."""

    gpus_per_trial: float | None = None
    """Share of a GPU, or a whole number of GPUs; 0 hides them. None: 1 where there are any."""

    cpus_per_trial: int | None = None
    """Cores, and threads, of each trial. None: an even share."""

    concurrent: int | None = None
    """Maximum number of trials that run at once. None: as many as fit (on CPUs at most 4)."""

    address: str | None = None
    """An existing Ray cluster. None: Ray is started on this machine."""

    depot: str | None = None
    """A URL where trials keep their folders, for nodes that do not see the sweep's. None: they do.
    """

    def __post_init__(self) -> None:
        gpus = self.gpus_per_trial
        if gpus is not None and (gpus < 0 or (gpus > 1 and gpus != int(gpus))):
            raise ConfigError(f"gpus per trial is {gpus:g}; a share up to 1, or a whole number")
        for name in ("cpus_per_trial", "concurrent"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine of a cluster."""

    cpus: float
    gpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResources:
    """What every trial holds while it runs."""

    cpus: float
    """Asked of the scheduler; below 1 where there are fewer cores than trials side by side."""

    gpus: float
    threads: int
    """Threads of the trial's numeric libraries."""

    concurrent: int
    """Trials side by side."""

    starting: int
    """Workers that may start at the same time: each loads a core for a second, and where cores are
    few, four of them take longer than one after the other while three GPUs compute."""


def plan_resources(resources: Resources, nodes: Sequence[Node]) -> TrialResources:
    """Decide what was left open, and refuse at once what could never be scheduled.

    Raises:
        ResourceError: no node has what one trial was asked to hold.
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
        # the node with the least for each of its GPUs decides, or some of them would lie idle
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
    """How many trials a node holds at once."""
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
            f"asked for {gpus:g} GPU{'s' if gpus != 1 else ''} per trial; this "
            f"{'cluster has' if len(nodes) > 1 else 'machine has'} {where}. "
            "Lower --gpus-per-trial (0 trains on the CPU)"
        )
    most_cpus = max((node.cpus for node in nodes), default=0)
    if cpus is not None and cpus > most_cpus:
        raise ResourceError(
            f"asked for {cpus} CPU cores per trial; the largest machine has {most_cpus:g}. "
            "Lower --cpus-per-trial"
        )
