"""One trial: prepare, fine-tune, decode and score every part in every fold, as a stream.

Knows no scheduler and no tracker. Each unit (a part in a fold) keeps its own folder,
``<part>/fold<k>/``: the stages' checkpoints while it runs, then `unit.json` and `scored.npz`.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence

import numpy as np

from bearing_search.config import TrialConfig
from bearing_search.data.dataset import load_data_set
from bearing_search.data.samples import Sample
from bearing_search.data.split import make_folds
from bearing_search.errors import TrialFailedError
from bearing_search.measurement import (
    FINISHED_FOLDS,
    FOLD_OBJECTIVE,
    OBJECTIVE,
    RUNNING_OBJECTIVE,
    Measurement,
    TrialContext,
)
from bearing_search.stages.plans import progress_of_trial, progress_of_unit
from bearing_search.stages.scored import mean_metrics
from bearing_search.stages.unit_run import UnitPlan, UnitRecord, run_unit


def run_trial(config: TrialConfig, context: TrialContext) -> Iterator[Measurement]:
    """Train and score one config on the folds of the training split.

    Fold by fold, all parts that have a fold before the next fold, so that the running mean after
    each fold covers the same units in every trial: a fair thing to prune by. See
    `measurement.RunTrial` for resuming and stopping.

    Raises:
        DataError: the data set cannot be used.
        WeightsError: the encoder's weights cannot be loaded.
        TrialFailedError: this config cannot give a score.
    """
    plans = validation_plans(config, load_data_set(context.data).samples("train"))
    return _run_units(plans, config, context, split="val")


def run_final(config: TrialConfig, context: TrialContext) -> Iterator[Measurement]:
    """Train on all of train and score on test: for the chosen config, once."""
    data_set = load_data_set(context.data)
    plans = [
        UnitPlan(
            part=part,
            label=part,
            key=f"{part}/all",
            fold=0,
            train=data_set.samples("train", part),
            held_out=data_set.samples("test", part),
            is_validation=False,
        )
        for part in data_set.chosen_parts(config.parts)
    ]
    return _run_units(plans, config, context, split="test")


def validation_plans(config: TrialConfig, train: Sequence[Sample]) -> list[UnitPlan]:
    """Which units a trial consists of, in the order in which they run."""
    parts = [p for p in sorted({s.part for s in train}) if not config.parts or p in config.parts]
    folds = {p: make_folds([s for s in train if s.part == p], config.split) for p in parts}
    plans = [
        UnitPlan(
            part=part,
            label=f"{part}, fold {fold.index + 1} of {len(folds[part])}",
            key=f"{part}/fold{fold.index}",
            fold=fold.index,
            train=fold.train,
            held_out=fold.held_out,
            is_validation=True,
        )
        for part in parts
        for fold in folds[part]
    ]
    return sorted(plans, key=lambda plan: (plan.fold, plan.part))


def _run_units(
    plans: Sequence[UnitPlan], config: TrialConfig, context: TrialContext, *, split: str
) -> Iterator[Measurement]:
    costs = [
        progress_of_unit(
            config,
            num_normal=sum(not s.is_anomalous for s in plan.train),
            num_anomalous=sum(s.is_anomalous for s in plan.train),
        )
        for plan in plans
    ]
    progress = progress_of_trial(costs)
    first = 0
    records: list[tuple[UnitPlan, UnitRecord]] = []
    for number, plan in enumerate(plans):
        step = first
        unit = run_unit(plan, config, context)
        record = yield from _rows(unit, plan, split, step, progress)
        if record is None:
            return
        first += len(costs[number])
        records.append((plan, record))
        values = {f"{split}/{plan.key}/{name}": v for name, v in record.metrics.items()}
        if number + 1 == len(plans):
            values |= _summary(records, split)
            _require_objective(values, split)
        elif split == "val" and plans[number + 1].fold != plan.fold:
            values |= _running(records)
        yield Measurement(
            step=first - 1,
            values={name: value for name, value in values.items() if not np.isnan(value)},
            stage=f"{plan.label}: scored",
            progress=progress[first - 1],
            tags=record.tags,
        )


def _rows(
    unit: Generator[tuple[str, dict[str, float]], None, UnitRecord | None],
    plan: UnitPlan,
    split: str,
    step: int,
    progress: Sequence[float],
) -> Generator[Measurement, None, UnitRecord | None]:
    while True:
        try:
            what, row = next(unit)
        except StopIteration as end:
            record: UnitRecord | None = end.value
            return record
        yield Measurement(
            step=step,
            values={f"train/{plan.key}/{name}": value for name, value in row.items()},
            stage=f"{plan.label}: {what}",
            progress=progress[step],
        )
        step += 1


def _summary(records: Sequence[tuple[UnitPlan, UnitRecord]], split: str) -> dict[str, float]:
    means = mean_metrics((plan.part, record.metrics) for plan, record in records)
    return {f"{split}/{name}": value for name, value in means.items()}


def _running(records: Sequence[tuple[UnitPlan, UnitRecord]]) -> dict[str, float]:
    folds = {plan.fold for plan, _ in records}
    last = [(plan, record) for plan, record in records if plan.fold == max(folds)]
    return {
        FOLD_OBJECTIVE: _summary(last, "val")[OBJECTIVE],
        RUNNING_OBJECTIVE: _summary(records, "val")[OBJECTIVE],
        FINISHED_FOLDS: float(len(folds)),
    }


def _require_objective(values: Mapping[str, float], split: str) -> None:
    if split == "val" and np.isnan(values[OBJECTIVE]):
        raise TrialFailedError(
            "no held-out fold has an anomalous region to find, so there is no val/pixel_aupro"
        )
