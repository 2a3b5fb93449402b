"""What the stages will do, computed in advance: iterations, measurements, costs. No torch.

Axis letters: b batch.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil

import numpy as np
from jaxtyping import Int

from bearing_search.config import DETECTORS, FinetuneConfig, TrialConfig, names_seen_by
from bearing_search.models.finetuning.schedule import Task, finetune_lr_factors, task_at
from bearing_search.training.batching import infinite_batches, shuffled_epoch

_ROWS = 25
"""Maximum number of measurements during detector training."""

_FINETUNE_COST = 1.6
"""Cost of a fine-tuning iteration, in decoder iterations (both at batch size 8, ViT-S)."""

_FOLD_COST = 4.0
"""Cost of preparing, encoding and scoring a fold, in the same unit; a rough figure."""


SEEN_IN_THE_PLAN = names_seen_by(FinetuneConfig, "plan")
"""Fine-tuning settings that the plan already reflects in its tasks, samples and learning rates."""


@dataclass(frozen=True, slots=True)
class Step:
    """One iteration of the plan."""

    epoch: int
    task: Task
    batch: Int[np.ndarray, " b"]
    ends_epoch: bool
    lr_factor: float
    """Factor on the peak learning rates, in [0, 1]."""


def finetune_plan(
    config: FinetuneConfig, *, num_normal: int, num_anomalous: int, seed: int
) -> list[Step]:
    """All iterations in order. By default each epoch is one pass over the samples of its task.

    In patch classification batches, indices from `num_anomalous` on refer to normal samples onto
    which a defect is drawn.
    """
    batches_of: list[tuple[int, Task, list[Int[np.ndarray, " b"]]]] = []
    patch_epochs = 0
    for epoch in range(config.epochs):
        task = task_at(
            epoch,
            reconstruction_only_epochs=config.reconstruction_only_epochs,
            alternation_period=config.alternation_period,
        )
        seeds = (seed, 1, epoch)
        if task is Task.RECONSTRUCTION:
            batches = shuffled_epoch(num_normal, batch_size=config.batch_size, seed=seeds)
        elif config.synthetic_defects == "when_needed" and config.patch_steps_per_epoch is None:
            batches = shuffled_epoch(num_anomalous, batch_size=config.batch_size, seed=seeds)
        else:
            batches = _patch_batches(config, num_normal, num_anomalous, patch_epochs, seed)
        patch_epochs += task is Task.PATCH_CLASSIFICATION
        batches_of.append((epoch, task, batches))
    factors = iter(
        finetune_lr_factors(
            [epoch for epoch, _, batches in batches_of for _ in batches],
            config.schedule,
            warmup_share=config.warmup_share,
        )
    )
    return [
        Step(epoch, task, batch, ends_epoch=batch is batches[-1], lr_factor=next(factors))
        for epoch, task, batches in batches_of
        for batch in batches
    ]


def digests_by_epoch(plan: Sequence[Step]) -> dict[int, str]:
    """Iterations up to the end of each epoch -> digest of those iterations.

    Together with the seed, this determines everything random in them.
    """
    found, seen = {}, hashlib.sha256()
    for number, step in enumerate(plan, start=1):
        what = f"{step.epoch} {step.task} {step.lr_factor!r} {step.batch.tolist()}\n"
        seen.update(what.encode())
        if step.ends_epoch:
            found[number] = seen.hexdigest()[:32]
    return found


def learned_tasks(config: FinetuneConfig) -> set[Task]:
    """Tasks that are trained in at least one epoch; the head of another stays untrained."""
    return {
        task_at(
            epoch,
            reconstruction_only_epochs=config.reconstruction_only_epochs,
            alternation_period=config.alternation_period,
        )
        for epoch in range(config.epochs)
    }


def _patch_batches(
    config: FinetuneConfig, num_normal: int, num_anomalous: int, patch_epoch: int, seed: int
) -> list[Int[np.ndarray, " b"]]:
    """Full batches of one epoch: real defects, then synthetic ones, each from endless passes."""
    real, drawn = min(config.batch_size, num_anomalous), 0
    if config.synthetic_defects == "always":
        share = config.synthetic_share if num_anomalous else 1.0
        real = min(config.batch_size - int(config.batch_size * share), num_anomalous)
        drawn = min(config.batch_size - real, num_normal)
    one_pass = ceil(num_anomalous / real) if real else ceil(num_normal / drawn)
    steps = config.patch_steps_per_epoch or one_pass

    def batch(number: int) -> Int[np.ndarray, " b"]:
        kinds = ((num_anomalous, real, 0, 6), (num_normal, drawn, num_anomalous, 7))
        picked = [
            first + infinite_batches(number, count, batch_size=size, seed=(seed, stream))
            for count, size, first, stream in kinds
            if size
        ]
        return np.concatenate(picked)

    return [batch(patch_epoch * steps + step) for step in range(steps)]


def detector_iterations(config: TrialConfig) -> int:
    """Number of iterations in detector training."""
    wanted = DETECTORS[config.detector].iterations
    if isinstance(wanted, int):
        return wanted
    section, _, name = wanted.partition(".")
    if section in DETECTORS:
        return int(getattr(config.section_of(DETECTORS[section].config), name))
    return int(getattr(getattr(config, section), name))


def log_iterations(iterations: int) -> list[int]:
    """Iterations after which a measurement is logged: evenly spaced, including the last one."""
    rows = min(_ROWS, iterations)
    return [round(iterations * (row + 1) / rows) for row in range(rows)]


def fold_progress(
    config: TrialConfig, *, num_normal: int, num_anomalous: int, num_scored: int = 1
) -> list[float]:
    """Cumulative cost after each measurement of one fold, in decoder iterations.

    Args:
        num_normal: normal training samples.
        num_anomalous: anomalous training samples, or synthetic ones where those replace them.
        num_scored: parts that are scored.
    """
    plan = finetune_plan(
        config.finetune, num_normal=num_normal, num_anomalous=num_anomalous, seed=config.seed
    )
    epochs = [0.0] * config.finetune.epochs
    for step in plan:
        epochs[step.epoch] += _FINETUNE_COST
    ends = log_iterations(detector_iterations(config))
    rows = [float(end - start) for start, end in zip([0, *ends], ends, strict=False)]
    return list(accumulate([*epochs, *rows, _FOLD_COST * num_scored]))


def trial_progress(folds: Sequence[Sequence[float]]) -> list[float]:
    """Share of the trial completed at each measurement; the last is 1."""
    total = sum(fold[-1] for fold in folds)
    done = 0.0
    shares = []
    for fold in folds:
        shares += [(done + cost) / total for cost in fold]
        done += fold[-1]
    return shares
