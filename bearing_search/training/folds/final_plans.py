"""Plans that train on all of train, for use and to be scored on test. No torch."""

from collections.abc import Mapping, Sequence

from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.data.fold_key import FoldKey
from bearing_search.data.samples import Sample
from bearing_search.data.split import FEWEST_TO_CALIBRATE, folds_of_parts
from bearing_search.preprocess.stress.stress_set import chosen_samples
from bearing_search.training.folds.fold_plan import FoldPlan, PartPlan, plans_of_fold


def final_plans(
    config: TrialConfig, data_set: DataSet, *, calibrates: bool = False, stresses: bool = False
) -> list[FoldPlan]:
    """Plans that train on all of train and score on test.

    Args:
        config: of the trial.
        data_set: both splits.
        calibrates: whether the normal samples of the search's first fold are set aside and scored
            with test, so that thresholds can be made in the final model's own unit; not in a part
            whose folds have too few for that.
        stresses: whether a stress set is made of normal test samples and scored as well.

    Raises:
        DataError: a part has too few groups for its folds, if `calibrates`.
    """
    names = data_set.chosen_parts(config.parts)
    train = {part: data_set.samples("train", part) for part in names}
    aside = _set_aside(train, config) if calibrates else dict.fromkeys(names, frozenset[str]())
    parts = [
        PartPlan(
            part=part,
            key=str(FoldKey(part, "all")),
            train=tuple(s for s in train[part] if s.group not in aside[part]),
            held_out=(
                *data_set.samples("test", part),
                *(s for s in train[part] if s.group in aside[part] and not s.is_anomalous),
            ),
            stressed=chosen_samples(data_set.samples("test", part)) if stresses else (),
        )
        for part in names
    ]
    where = {plan.part: "" for plan in parts}
    every = data_set.samples("train")
    return plans_of_fold(parts, config, fold=0, where=where, train=every, is_validation=False)


def deployment_plans(config: TrialConfig, train: Sequence[Sample]) -> list[FoldPlan]:
    """Plans that train as `final_plans` does if it calibrates, without test.

    Held out are the normal samples that are set aside; in a part with too few for that, all of its
    normal training samples.

    Raises:
        DataError: a part has too few groups for its folds.
    """
    names = [p for p in sorted({s.part for s in train}) if not config.parts or p in config.parts]
    of_part = {part: [s for s in train if s.part == part] for part in names}
    aside = _set_aside(of_part, config)
    parts = [
        PartPlan(
            part=part,
            key=str(FoldKey(part, "all")),
            train=tuple(s for s in samples if s.group not in aside[part]),
            held_out=tuple(
                s
                for s in samples
                if not s.is_anomalous and (s.group in aside[part] or not aside[part])
            ),
        )
        for part, samples in of_part.items()
    ]
    where = {plan.part: "" for plan in parts}
    return plans_of_fold(parts, config, fold=0, where=where, train=train, is_validation=False)


def _set_aside(
    train: Mapping[str, Sequence[Sample]], config: TrialConfig
) -> dict[str, frozenset[str]]:
    """Part -> groups that calibrate its thresholds; none in a part with too few for that."""
    aside = {}
    for part, folds in folds_of_parts(train, config).items():
        normal = [[s for s in fold.held_out if not s.is_anomalous] for fold in folds]
        is_enough = min(map(len, normal)) >= FEWEST_TO_CALIBRATE
        aside[part] = frozenset(s.group for s in normal[0] if is_enough)
    return aside
