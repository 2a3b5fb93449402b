"""The task of each fine-tuning epoch, and the learning rate schedules of both stages. No torch."""

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby

from bearing_search.config import FinetuneSchedule


class Task(StrEnum):
    """The task of a fine-tuning epoch."""

    RECONSTRUCTION = "reconstruction"
    PATCH_CLASSIFICATION = "patch_classification"


def task_at(epoch: int, *, reconstruction_only_epochs: int, alternation_period: int) -> Task:
    """Task trained in `epoch` (0-based).

    Reconstruction runs alone for `reconstruction_only_epochs`; then the tasks alternate every
    `alternation_period` epochs. The paper (section 3.2) does not say which task comes first in the
    alternation; here it is patch classification, because reconstruction has just been trained.
    """
    if epoch < reconstruction_only_epochs:
        return Task.RECONSTRUCTION
    turn = (epoch - reconstruction_only_epochs) // alternation_period
    return Task.PATCH_CLASSIFICATION if turn % 2 == 0 else Task.RECONSTRUCTION


def finetune_lr_factors(
    epochs: Sequence[int], schedule: FinetuneSchedule, *, warmup_share: float
) -> list[float]:
    """Factor on both fine-tuning learning rates in each iteration.

    Linear warm-up to 1, then a cosine to 0. The factor reaches 1 in the last warm-up iteration
    rather than after it, so that it is above 0 in the first one.

    Args:
        epochs: epoch of each iteration, 0-based, in order, without gaps.
        schedule: `iterations`: the curve advances per iteration. `epochs`: it advances by the same
            amount per epoch, however many iterations that has. `constant`: 1, without warm-up.
        warmup_share: share of the training spent on warm-up.
    """
    if schedule == "constant":
        return [1.0] * len(epochs)
    if schedule == "iterations":
        total = len(epochs)
        warmup = max(1, round(total * warmup_share))
        return [
            (number + 1) / warmup
            if number < warmup
            else warm_cosine(number, total=total, warmup=warmup, peak=1.0, final=0.0)
            for number in range(total)
        ]
    whole = len(set(epochs))
    warmup_epochs = whole * warmup_share
    factors = []
    for epoch, group in groupby(epochs):
        count = len(list(group))
        for number in range(count):
            begun, ended = epoch + number / count, epoch + (number + 1) / count
            if begun < warmup_epochs:
                factors.append(min(1.0, ended / warmup_epochs))
            else:
                progress = (begun - warmup_epochs) / (whole - warmup_epochs)
                factors.append((1 + math.cos(math.pi * progress)) / 2)
    return factors


def warm_cosine(iteration: int, *, total: int, warmup: int, peak: float, final: float) -> float:
    """Learning rate of one iteration: linear from 0 to `peak`, then a cosine down to `final`.

    Args:
        iteration: 0-based; 0 gives 0 (if there is a warm-up), `warmup` gives `peak`, `total` and
            beyond give `final`.
        total: iterations of the whole training.
        warmup: warm-up iterations; if longer than the training, the peak is never reached.
    """
    if iteration < warmup:
        return peak * iteration / warmup
    if iteration >= total:
        return final
    progress = (iteration - warmup) / (total - warmup)
    return final + (peak - final) * (1 + math.cos(math.pi * progress)) / 2
