"""The folds of a trial: which samples are trained on together and which are scored. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bearing_search.config import TrialConfig
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
    measured: tuple[Sample, ...] = ()
    """Anomalous samples of other parts of train, after whose masks the sizes of held-out defects
    are drawn; empty for a part with defects of its own."""

    measured_to_train: tuple[Sample, ...] = ()
    """Those of them that training may see."""

    stressed: tuple[Sample, ...] = ()
    """Normal test samples that are scored with changed light, camera or dents as well."""


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

    def __post_init__(self) -> None:
        if self.is_validation and any(part.stressed for part in self.parts):
            raise ValueError("a stress set is made of test samples, which no validation may see")

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
        plans += plans_of_fold(
            here, config, fold=index, where=where, train=train, is_validation=True
        )
    return plans


def unseen_kind_plans(config: TrialConfig, train: Sequence[Sample]) -> list[FoldPlan]:
    """Plans that each leave one kind of defect out of train and are scored on it.

    The normal samples of one of the search's folds are held out with it, so that there is
    something to tell the defects from. Groups that hold any of these leave train whole.

    Args:
        train: training samples of all parts; kinds are numbered in alphabetical order.

    Raises:
        DataError: a part has too few groups for its folds.
    """
    parts = [p for p in sorted({s.part for s in train}) if not config.parts or p in config.parts]
    of_part = {part: [s for s in train if s.part == part] for part in parts}
    folds = folds_of_parts(of_part, config)
    plans = []
    for number, kind in enumerate(sorted({s.defect for s in train if s.is_anomalous})):
        here = []
        for part in parts:
            samples, fold = of_part[part], folds[part][number % len(folds[part])]
            unseen = {s.group for s in samples if s.is_anomalous and s.defect == kind}
            aside = unseen | {s.group for s in fold.held_out if not s.is_anomalous}
            if unseen or config.scope == "multi_part":
                here.append(
                    PartPlan(
                        part=part,
                        key=str(FoldKey(part, number)),
                        train=tuple(s for s in samples if s.group not in aside),
                        held_out=tuple(
                            s
                            for s in samples
                            if s.group in aside and (not s.is_anomalous or s.defect == kind)
                        ),
                    )
                )
        where = {plan.part: f", without {kind}" for plan in here}
        known = [s for s in train if s.defect != kind]
        # no validation: where no other kind is left, none is drawn onto the held-out samples
        plans += plans_of_fold(
            here, config, fold=number, where=where, train=known, is_validation=False
        )
    return plans


def progress_of_plan(config: TrialConfig, plan: FoldPlan) -> list[float]:
    """Cumulative cost after each measurement of one fold, in decoder iterations."""
    num_normal, num_anomalous = trained_on(config, plan.train)
    return fold_progress(
        config,
        num_normal=num_normal,
        num_anomalous=num_anomalous,
        num_scored=len(plan.parts),
    )


def _with_measured(parts: Sequence[PartPlan], train: Sequence[Sample]) -> list[PartPlan]:
    """Plans that are trained together, with the samples by which drawn defects are sized."""
    anomalous = [sample for sample in train if sample.is_anomalous]
    held_out = {sample for plan in parts for sample in plan.held_out}
    plans = []
    for plan in parts:
        others: tuple[Sample, ...] = ()
        if not any(sample.is_anomalous for sample in plan.train):
            others = tuple(sample for sample in anomalous if sample.part != plan.part)
        seen = tuple(sample for sample in others if sample not in held_out)
        plans.append(replace(plan, measured=others, measured_to_train=seen))
    return plans


def plans_of_fold(
    parts: Sequence[PartPlan],
    config: TrialConfig,
    *,
    fold: int,
    where: Mapping[str, str],
    train: Sequence[Sample],
    is_validation: bool,
) -> list[FoldPlan]:
    """The plans of a fold.

    Args:
        train: training samples of all parts, after whose masks drawn defects are sized.
    """
    if config.scope == "multi_part":
        first = parts[0]
        together = FoldPlan(
            key=str(FoldKey(TOGETHER, FoldKey.parse(first.key).fold)),
            label=f"all parts{where[first.part]}",
            fold=fold,
            parts=tuple(_with_measured(parts, train)),
            is_validation=is_validation,
        )
        return [together]
    return [
        FoldPlan(
            key=plan.key,
            label=f"{plan.part}{where[plan.part]}",
            fold=fold,
            parts=tuple(_with_measured([plan], train)),
            is_validation=is_validation,
        )
        for plan in parts
    ]
