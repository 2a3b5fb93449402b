"""Folds inside the training split: grouped, stratified, seeded. Axis letter: k folds."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from bearing_search.config import SplitConfig, TrialConfig
from bearing_search.data.fold_key import TOGETHER
from bearing_search.data.samples import Sample
from bearing_search.errors import DataError

MOST_FOLDS = 5
"""Most folds if `split.folds` is not given: each costs a training run, and beyond five the
training sides hardly grow."""

FOLDS_OF_DRAWN_DEFECTS = 3
"""The same without defects in train: every held-out fold has plenty of synthetic ones."""

FEWEST_TO_CALIBRATE = 4
"""Normal samples that a model must not have seen, so that the unit of its scores is known."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One division of a part's training split. Nothing may be learned from `held_out`."""

    index: int
    train: tuple[Sample, ...]
    held_out: tuple[Sample, ...]


def num_folds(samples: Sequence[Sample], config: SplitConfig) -> int:
    """Number of folds of a part: as configured, or as many as its groups allow.

    A group that holds samples of both kinds counts for both.

    Args:
        samples: training samples of one part.

    Raises:
        DataError: fewer groups with normal or with anomalous samples than folds. A part without any
            anomalous training sample is allowed: its held-out defects are synthetic.
    """
    part = samples[0].part if samples else "a part"
    groups = _groups_by_label(samples)
    normal, anomalous = (len(kind | groups.mixed) for kind in (groups.normal, groups.anomalous))
    fewest = min(normal, anomalous) if anomalous else normal
    most = MOST_FOLDS if anomalous else FOLDS_OF_DRAWN_DEFECTS
    folds = max(2, min(fewest, most)) if config.folds is None else config.folds
    _require_enough(part, "normal", normal, folds)
    if anomalous:
        _require_enough(part, "anomalous", anomalous, folds)
    return folds


def make_folds(samples: Sequence[Sample], config: SplitConfig) -> list[Fold]:
    """Hold out each group once, with anomalous and normal samples spread evenly over the folds.

    Groups that hold both kinds are assigned first, and count towards both; anomalous groups with
    a mask come before those without, so that both are spread. scikit-learn's
    StratifiedGroupKFold is not used because it does not guarantee that the few anomalous groups are
    spread evenly.

    Args:
        samples: training samples of one part.

    Raises:
        DataError: as for `num_folds`.
    """
    folds = num_folds(samples, config)
    groups = _groups_by_label(samples)
    rng = np.random.default_rng(config.seed)
    fold_of = _deal(groups.mixed, samples, np.zeros(folds), rng)
    masked = {s.group for s in samples if s.is_anomalous and not s.is_unmasked}
    for kind, is_anomalous in (
        (groups.anomalous & masked, True),
        (groups.anomalous - masked, True),
        (groups.normal, False),
    ):
        load = np.zeros(folds)
        for sample in samples:
            if sample.group in fold_of:
                load[fold_of[sample.group]] += sample.is_anomalous is is_anomalous
        fold_of |= _deal(kind, samples, load, rng)
    dealt = [(sample, fold_of[sample.group]) for sample in samples]
    return [
        Fold(
            index,
            train=tuple(sample for sample, fold in dealt if fold != index),
            held_out=tuple(sample for sample, fold in dealt if fold == index),
        )
        for index in range(folds)
    ]


def folds_of_parts(
    train: Mapping[str, Sequence[Sample]], config: TrialConfig
) -> dict[str, list[Fold]]:
    """The folds of every part; parts that are trained together have the same number.

    Each part is split separately: groups of two parts with the same name are different objects.

    Args:
        train: training samples of every part.

    Raises:
        DataError: as for `num_folds`, or a part has the name of what all parts share.
    """
    split = config.split
    if config.scope == "multi_part" and train:
        if TOGETHER in train:
            raise DataError(
                f"a part is named {TOGETHER}, a name that scope: multi_part needs for what its "
                "parts share. Rename the part."
            )
        split = replace(split, folds=min(num_folds(found, split) for found in train.values()))
    return {part: make_folds(found, split) for part, found in train.items()}


@dataclass(frozen=True, slots=True)
class _Groups:
    """Names of the groups that hold normal samples only, anomalous samples only, and both."""

    normal: set[str]
    anomalous: set[str]
    mixed: set[str]


def _groups_by_label(samples: Sequence[Sample]) -> _Groups:
    anomalous = {sample.group for sample in samples if sample.is_anomalous}
    normal = {sample.group for sample in samples if not sample.is_anomalous}
    return _Groups(normal - anomalous, anomalous - normal, normal & anomalous)


def _deal(
    groups: Collection[str],
    samples: Sequence[Sample],
    load: Float[np.ndarray, " k"],
    rng: np.random.Generator,
) -> dict[str, int]:
    """Group -> fold: the largest first, each to the fold with the least load so far.

    Args:
        load: number of samples already in each fold.
    """
    if not groups:
        return {}
    size = Counter(sample.group for sample in samples if sample.group in groups)
    shuffled = rng.permutation(sorted(size))
    load = load.copy()
    fold_of = {}
    for group in sorted(shuffled, key=lambda name: -size[name]):  # stable: ties stay shuffled
        fold = int(load.argmin())
        fold_of[str(group)] = fold
        load[fold] += size[group]
    return fold_of


def _require_enough(part: str, label: str, found: int, folds: int) -> None:
    if found < folds:
        raise DataError(
            f"{part}: {found} {label} group{'s' * (found != 1)} in train, but {folds} folds; some "
            f"fold would be validated without any. {_ways_out(label, found)}"
        )


def _ways_out(label: str, found: int) -> str:
    """What to do about too few groups of one label, as sentences."""
    if found >= 2:
        return f"Lower split.folds (--folds): at most {found}. Or add {label} samples."
    if label == "normal":
        return (
            "Add normal samples of other objects to train; a group with any anomalous sample "
            "counts as anomalous."
        )
    return (
        "Fewer folds (--folds) are not possible: add samples of another defective object to train "
        "(where import divided the set: a smaller --test-share). Or move this one to test: train "
        "may be without defects; synthetic ones are used then."
    )
