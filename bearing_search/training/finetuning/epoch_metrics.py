"""Metrics of a fine-tuning epoch: mean losses and patch classification metrics.

Axis letters: k patches.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bearing_search.evaluation.rank_metrics import auroc_of, average_precision_of, rank
from bearing_search.training.checkpoint import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchScores:
    """Classified patches: logit of anomalous minus logit of normal, and label."""

    scores: Float[Tensor, " k"]
    is_anomalous: Bool[Tensor, " k"]


@dataclass(slots=True)
class Epoch:
    """Running sums over the iterations of one epoch."""

    sums: dict[str, float] = field(default_factory=dict)
    samples: int = 0
    scores: list[Tensor] = field(default_factory=list)
    labels: list[Tensor] = field(default_factory=list)

    def add(self, losses: Row, patches: PatchScores | None, *, samples: int) -> None:
        """Add the losses and patches of an iteration over `samples` samples."""
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + loss * samples
        self.samples += samples
        if patches is not None:
            self.scores.append(patches.scores.cpu())
            self.labels.append(patches.is_anomalous.cpu())

    def row(self) -> Row:
        """Mean losses over samples; AP and AUROC over patches, if both classes occurred."""
        means = {name: value / self.samples for name, value in self.sums.items()}
        if not self.scores:
            return means
        return means | patch_metrics(torch.cat(self.scores).numpy(), torch.cat(self.labels).numpy())

    def state(self) -> dict[str, Any]:
        """Arguments from which `Epoch(**state)` is restored."""
        return {
            "sums": dict(self.sums),
            "samples": self.samples,
            "scores": list(self.scores),
            "labels": list(self.labels),
        }


def patch_metrics(
    scores: Float[np.ndarray, " k"], is_anomalous: Bool[np.ndarray, " k"]
) -> dict[str, float]:
    """`patch_ap` and `patch_auroc` (paper, Fig. 9); empty if all patches are of one class."""
    if is_anomalous.all() or not is_anomalous.any():
        return {}
    ranks = rank(np.sort(scores[is_anomalous])[::-1], np.sort(scores[~is_anomalous]))
    return {"patch_ap": average_precision_of(ranks), "patch_auroc": auroc_of(ranks)}
