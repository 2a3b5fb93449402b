"""How far a trial is: every measurement's share of the work, from the plan alone."""

from collections.abc import Sequence
from itertools import accumulate

from bearing_search.config import TrialConfig
from bearing_search.stages.decode import row_ends
from bearing_search.stages.finetune import finetune_plan

_FINETUNE_COST = 1.6
"""Cost of an iteration of fine-tuning, in iterations of the decoder (both at batch 8, ViT-S)."""

_UNIT_COST = 4.0
"""Cost of preparing, encoding and scoring a unit, in the same unit; a rough figure."""


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
    ends = row_ends(config.dinomaly.iterations)
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
