"""One trial: prepare, fine-tune, detect and score every part in every fold, as a stream.

Independent of the scheduler and the tracker. Each fold (of one part, or of all parts if they are
trained together) writes `unit.json` to ``<part>/fold<k>/`` or ``all/fold<k>/``. Each part's
`scored.npz` is in ``<part>/fold<k>/``. Stage results are in a stage cache.
"""

import shutil
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import numpy as np

from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet, load_data_set
from bearing_search.data.pixel_labels import objective_level
from bearing_search.data.readings import with_readings
from bearing_search.errors import TrialFailedError
from bearing_search.evaluation.mean_metrics import mean_metrics
from bearing_search.measurement import (
    COMPUTED_S,
    COST_S,
    FINISHED_FOLDS,
    MICRO_BATCH,
    SAVED_S,
    TRAIN_GFLOP,
    Measurement,
    TrialContext,
    fold_objective,
    objective_at,
    running_objective,
)
from bearing_search.stage_cache.cache import StageCache
from bearing_search.training.cost import train_gflop
from bearing_search.training.folds.final_plans import deployment_plans, final_plans
from bearing_search.training.folds.fold_plan import (
    FoldPlan,
    progress_of_plan,
    unseen_kind_plans,
    validation_plans,
)
from bearing_search.training.folds.fold_record import FoldRecord
from bearing_search.training.folds.run_fold import run_fold
from bearing_search.training.microbatch import smallest
from bearing_search.training.plan import trial_progress


def run_trial(config: TrialConfig, context: TrialContext) -> Iterator[Measurement]:
    """Train and score one config on the folds of the training split.

    All parts run a fold before the next fold starts, so that the running mean after each fold
    covers the same parts in every trial and pruning is fair. See `measurement.RunTrial` for
    resuming and stopping.

    Raises:
        DataError: the data set cannot be used.
        WeightsError: the encoder's weights cannot be loaded.
        TrialFailedError: this config cannot produce a score.
    """
    plans = validation_plans(config, _data_set(config, context).samples("train"))
    return _run_units(plans, config, context, split="val")


def run_final(
    config: TrialConfig, context: TrialContext, *, stresses: bool = False
) -> Iterator[Measurement]:
    """Train on all of train and score on test; meant to be run once, for the chosen config.

    Args:
        stresses: whether a stress set made of test samples is scored as well.
    """
    plans = final_plans(config, _data_set(config, context), stresses=stresses)
    return _run_units(plans, config, context, split="test")


def run_calibrated(
    config: TrialConfig, context: TrialContext, *, stresses: bool = False
) -> Iterator[Measurement]:
    """As `run_final`, with normal samples of train set aside and scored together with test."""
    data_set = _data_set(config, context)
    plans = final_plans(config, data_set, calibrates=True, stresses=stresses)
    return _run_units(plans, config, context, split="final")


def run_deployment(config: TrialConfig, context: TrialContext) -> Iterator[Measurement]:
    """Train as `run_calibrated` does and score what is set aside; test is not needed.

    Raises:
        DataError, WeightsError, TrialFailedError: as in `run_trial`.
    """
    plans = deployment_plans(config, _data_set(config, context).samples("train"))
    return _run_units(plans, config, context, split="aside")


def run_unseen_kinds(config: TrialConfig, context: TrialContext) -> Iterator[Measurement]:
    """Train on the training split without each kind of defect in turn, and score that kind.

    Raises:
        DataError, WeightsError, TrialFailedError: as in `run_trial`.
    """
    plans = unseen_kind_plans(config, _data_set(config, context).samples("train"))
    return _run_units(plans, config, context, split="unseen")


def _data_set(config: TrialConfig, context: TrialContext) -> DataSet:
    data_set = load_data_set(context.data)
    return with_readings(data_set, config, cache=context.cache, known=context.bits)


def _run_units(
    plans: Sequence[FoldPlan], config: TrialConfig, context: TrialContext, *, split: str
) -> Iterator[Measurement]:
    objective = context.objective or _objective(plans)
    costs = [progress_of_plan(config, plan) for plan in plans]
    progress = trial_progress(costs)
    first = 0
    records: list[tuple[FoldPlan, FoldRecord]] = []
    for number, plan in enumerate(plans):
        step = first
        with _cache(plan, context) as store:
            fold = run_fold(plan, config, context, store)
            record = yield from _rows(fold, plan, split, step, progress)
        if record is None:
            return
        first += len(costs[number])
        records.append((plan, record))
        values = {
            f"{split}/{key}/{name}": value
            for key, metrics in record.metrics.items()
            for name, value in metrics.items()
        }
        values |= _cost(records) | _work(config, plans[: number + 1])
        if number + 1 == len(plans):
            values |= _summary(records, split)
            _require_objective(values, split, objective)
        elif split == "val" and plans[number + 1].fold != plan.fold:
            values |= _running(records, objective)
        yield Measurement(
            step=first - 1,
            values={name: value for name, value in values.items() if not np.isnan(value)},
            stage=f"{plan.label}: scored",
            progress=progress[first - 1],
            tags=record.tags,
        )


def _rows(
    fold: Generator[tuple[str, dict[str, float]], None, FoldRecord | None],
    plan: FoldPlan,
    split: str,
    step: int,
    progress: Sequence[float],
) -> Generator[Measurement, None, FoldRecord | None]:
    while True:
        try:
            what, row = next(fold)
        except StopIteration as end:
            record: FoldRecord | None = end.value
            return record
        yield Measurement(
            step=step,
            values={f"train/{plan.key}/{name}": value for name, value in row.items()},
            stage=f"{plan.label}: {what}",
            progress=progress[step],
        )
        step += 1


def _cost(records: Sequence[tuple[FoldPlan, FoldRecord]]) -> dict[str, float]:
    sizes = [size for _, record in records for size in smallest(record.rows).values()]
    computed, saved = (
        round(sum(getattr(record, name) for _, record in records), 3)
        for name in ("computed_s", "saved_s")
    )
    return {
        COMPUTED_S: computed,
        SAVED_S: saved,
        COST_S: round(computed + saved, 3),
        **({MICRO_BATCH: float(min(sizes))} if sizes else {}),
    }


def _work(config: TrialConfig, plans: Sequence[FoldPlan]) -> dict[str, float]:
    counted = [train_gflop(config, plan.train) for plan in plans]
    known = [gflop for gflop in counted if gflop is not None]
    return {TRAIN_GFLOP: round(sum(known), 3)} if len(known) == len(counted) else {}


@contextmanager
def _cache(plan: FoldPlan, context: TrialContext) -> Iterator[StageCache]:
    """The shared stage cache, or a private one for the fold, deleted except for final weights."""
    if context.shares_stages:
        with closing(StageCache(context.cache / "stages")) as store:
            yield store
        return
    folder = context.folder / plan.key
    own = folder / "stages"
    with closing(StageCache(own, max_bytes=sys.maxsize)) as store:
        yield store
    if (folder / "unit.json").exists():
        if not plan.is_validation:
            for stage in ("encoder", "detector"):  # not partial trainings
                for weights in own.glob(f"{stage}/*/done/*.pt"):
                    weights.replace(folder / weights.name)
        shutil.rmtree(own)


def _summary(records: Sequence[tuple[FoldPlan, FoldRecord]], split: str) -> dict[str, float]:
    means = mean_metrics(
        (part.part, record.metrics[part.key]) for plan, record in records for part in plan.parts
    )
    return {f"{split}/{name}": value for name, value in means.items()}


def _objective(plans: Sequence[FoldPlan]) -> str:
    """The objective of a search, by the labels of all samples that are held out."""
    held_out = [sample for plan in plans for part in plan.parts for sample in part.held_out]
    return objective_at(objective_level(held_out))


def _running(records: Sequence[tuple[FoldPlan, FoldRecord]], objective: str) -> dict[str, float]:
    folds = {plan.fold for plan, _ in records}
    last = [(plan, record) for plan, record in records if plan.fold == max(folds)]
    return {
        fold_objective(objective): _summary(last, "val")[objective],
        running_objective(objective): _summary(records, "val")[objective],
        FINISHED_FOLDS: float(len(folds)),
    }


def _require_objective(values: Mapping[str, float], split: str, objective: str) -> None:
    if split != "val" or not np.isnan(values[objective]):
        return
    lacking = (
        "an anomalous region"
        if objective == objective_at("pixel")
        else "both normal and anomalous samples with a region of interest"
    )
    raise TrialFailedError(f"no held-out fold has {lacking}, so {objective} is undefined")
