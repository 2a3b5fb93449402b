"""The folds of a trial: which samples are trained on together and which are scored. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.data.fold_key import TOGETHER, FoldKey
from bearing_search.data.samples import Sample
from bearing_search.data.split import folds_of_parts
from bearing_search.training.cost import trained_on
from bearing_search.training.plan import fold_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPlan:
    """One part of a fold, before any file is read."""

    part: str
    key: str
    """Subfolder of the trial for its scores, and the prefix of its metrics: `LC/fold0`."""

    train: tuple[Sample, ...]
    held_out: tuple[Sample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldPlan:
    """The parts that one encoder and one detector are trained and scored on."""

    key: str
    """Subfolder of the trial for the training, and the prefix of its measurements: `LC/fold0`, or
    `all/fold0` if parts are trained together."""

    label: str
    """Display name: `LC, fold 1 of 2`."""

    fold: int
    parts: tuple[PartPlan, ...]
    is_validation: bool
    """Whether the held-out samples come from train rather than from the test split."""

    @property
    def train(self) -> list[Sample]:
        """Training samples of all parts."""
        return [sample for part in self.parts for sample in part.train]


def validation_plans(config: TrialConfig, train: Sequence[Sample]) -> list[FoldPlan]:
    """The validation folds of a trial in the order in which they run: all parts, fold by fold.

    Raises:
        DataError: a part has too few groups for its folds.
    """
    parts = [p for p in sorted({s.part for s in train}) if not config.parts or p in config.parts]
    folds = folds_of_parts({p: [s for s in train if s.part == p] for p in parts}, config)
    plans = []
    for index in range(max(map(len, folds.values()), default=0)):
        here = [
            PartPlan(
                part=part,
                key=str(FoldKey(part, index)),
                train=folds[part][index].train,
                held_out=folds[part][index].held_out,
            )
            for part in parts
            if index < len(folds[part])
        ]
        where = {p.part: f", fold {index + 1} of {len(folds[p.part])}" for p in here}
        plans += _folds(here, config, fold=index, where=where, is_validation=True)
    return plans


def final_plans(config: TrialConfig, data_set: DataSet) -> list[FoldPlan]:
    """Plans that train on all of train and score on test."""
    parts = [
        PartPlan(
            part=part,
            key=str(FoldKey(part, "all")),
            train=data_set.samples("train", part),
            held_out=data_set.samples("test", part),
        )
        for part in data_set.chosen_parts(config.parts)
    ]
    where = {plan.part: "" for plan in parts}
    return _folds(parts, config, fold=0, where=where, is_validation=False)


def progress_of_plan(config: TrialConfig, plan: FoldPlan) -> list[float]:
    """Cumulative cost after each measurement of one fold, in decoder iterations."""
    num_normal, num_anomalous = trained_on(config, plan.train)
    return fold_progress(
        config,
        num_normal=num_normal,
        num_anomalous=num_anomalous,
        num_scored=len(plan.parts),
    )


def _folds(
    parts: Sequence[PartPlan],
    config: TrialConfig,
    *,
    fold: int,
    where: Mapping[str, str],
    is_validation: bool,
) -> list[FoldPlan]:
    if config.scope == "multi_part":
        first = parts[0]
        together = FoldPlan(
            key=str(FoldKey(TOGETHER, FoldKey.parse(first.key).fold)),
            label=f"all parts{where[first.part]}",
            fold=fold,
            parts=tuple(parts),
            is_validation=is_validation,
        )
        return [together]
    return [
        FoldPlan(
            key=plan.key,
            label=f"{plan.part}{where[plan.part]}",
            fold=fold,
            parts=(plan,),
            is_validation=is_validation,
        )
        for plan in parts
    ]
