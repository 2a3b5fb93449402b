"""What the stages will do, known before they start: iterations, measurements, costs. No torch.

Axis letters: b batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from jaxtyping import Int

from bearing_search.config import FinetuneConfig, TrialConfig
from bearing_search.model.schedule import Task, task_at
from bearing_search.stages.order import pass_over

_ROWS = 25
"""How many measurements the training of a decoder gives."""

_FINETUNE_COST = 1.6
"""Cost of an iteration of fine-tuning, in iterations of the decoder (both at batch 8, ViT-S)."""

_UNIT_COST = 4.0
"""Cost of preparing, encoding and scoring a unit, in the same unit; a rough figure."""


@dataclass(frozen=True, slots=True)
class Step:
    """One iteration of the plan."""

    epoch: int
    task: Task
    batch: Int[np.ndarray, " b"]
    ends_epoch: bool


def finetune_plan(
    config: FinetuneConfig, *, num_normal: int, num_anomalous: int, seed: int
) -> list[Step]:
    """All iterations in order: each epoch is one pass over the samples of its task."""
    plan = []
    for epoch in range(config.epochs):
        task = task_at(
            epoch,
            reconstruction_only_epochs=config.reconstruction_only_epochs,
            alternation_period=config.alternation_period,
        )
        count = num_normal if task is Task.RECONSTRUCTION else num_anomalous
        batches = pass_over(count, batch_size=config.batch_size, seed=(seed, 1, epoch))
        plan += [Step(epoch, task, batch, batch is batches[-1]) for batch in batches]
    return plan


def row_ends(iterations: int) -> list[int]:
    """After how many iterations a measurement is made: evenly, the last one included."""
    rows = min(_ROWS, iterations)
    return [round(iterations * (row + 1) / rows) for row in range(rows)]


def progress_of_unit(config: TrialConfig, *, num_normal: int, num_anomalous: int) -> list[float]:
    """Cost after each measurement of one unit, in iterations of the decoder."""
    plan = finetune_plan(
        config.finetune,
        num_normal=num_normal,
        num_anomalous=num_anomalous or num_normal,  # synthetic defects: one per normal sample
        seed=config.seed,
    )
    epochs = [0.0] * config.finetune.epochs
    for step in plan:
        epochs[step.epoch] += _FINETUNE_COST
    ends = row_ends(config.decoder.iterations)
    rows = [float(end - start) for start, end in zip([0, *ends], ends, strict=False)]
    return list(accumulate([*epochs, *rows, _UNIT_COST]))


def progress_of_trial(units: Sequence[Sequence[float]]) -> list[float]:
    """Share of the whole trial that is done after each of its measurements; the last is 1."""
    total = sum(unit[-1] for unit in units)
    done = 0.0
    shares = []
    for unit in units:
        shares += [(done + cost) / total for cost in unit]
        done += unit[-1]
    return shares
