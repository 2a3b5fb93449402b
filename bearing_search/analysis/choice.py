"""Which of the tied settings to use: a cheaper one than the best only if it is clearly cheaper."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bearing_search.config import TrialConfig
from bearing_search.evaluation.prediction_files import stored_labels
from bearing_search.training.cost import CostOfUse, cost_of_use

CHEAPER = 2.0
"""Factor by which a setting must be cheaper to be used instead of one with a higher score."""

Priced = tuple[float, CostOfUse | None]
"""Score and cost of a setting; None: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """How much cheaper one setting is than another; above 1: cheaper."""

    work: float
    """Ratio of the work per sample."""

    memory: float
    """Ratio of the memory."""

    @property
    def is_material(self) -> bool:
        """Whether it takes at most half of the work or memory, and less than twice the other."""
        more, less = max(self.work, self.memory), min(self.work, self.memory)
        return more >= CHEAPER and less > 1 / CHEAPER


def saving(cost: CostOfUse | None, other: CostOfUse | None) -> Saving | None:
    """How much cheaper `cost` is than `other`; None if either is unknown."""
    if cost is None or other is None:
        return None
    return Saving(work=other.gflop / cost.gflop, memory=other.megabytes / cost.megabytes)


def to_use(tied: Sequence[Priced]) -> int | None:
    """Position of the setting to use among those that cannot be distinguished from the best.

    It is the one with the highest score, unless others are materially cheaper; then the highest
    score among those, unless some of them are materially cheaper than that one too, and so on.
    A setting of unknown cost is never cheaper. Of equal scores the first one counts.

    Returns:
        The position; None if there is no setting.
    """
    chosen, left = None, list(range(len(tied)))
    while left:
        chosen = max(left, key=lambda number: (tied[number][0], -number))
        cost = tied[chosen][1]
        left = [number for number in left if _is_cheaper(tied[number][1], cost)]
    return chosen


def normals_of_parts(trial: Path) -> dict[str, int]:
    """Part -> normal samples of train, each of which a finished trial has held out once."""
    counts: Counter[str] = Counter()
    for file in sorted(trial.glob("*/*/scored.npz")):
        labels = stored_labels(file)
        counts[file.parent.parent.name] += int((~labels).sum())
    return dict(counts)


def cost_over_parts(config: TrialConfig, normals: Mapping[str, int]) -> CostOfUse | None:
    """Cost of using a setting that is trained on all of train, as mean over the parts.

    Args:
        config: config of one of its trials.
        normals: part -> normal samples of train.
    """
    counts = [sum(normals.values())] if config.scope == "multi_part" else [*normals.values()]
    costs = [cost for count in counts if (cost := cost_of_use(config, count)) is not None]
    if not costs:
        return None
    return CostOfUse(
        gflop=fmean(cost.gflop for cost in costs),
        megabytes=fmean(cost.megabytes for cost in costs),
    )


def _is_cheaper(cost: CostOfUse | None, other: CostOfUse | None) -> bool:
    found = saving(cost, other)
    return found is not None and found.is_material
