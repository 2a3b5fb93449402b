"""Folds inside the training split: grouped, stratified, seeded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bearing_search.config import SplitConfig
from bearing_search.data.samples import Sample
from bearing_search.errors import DataError


@dataclass(frozen=True, slots=True)
class Fold:
    """One division of a part's training split. Nothing of `held_out` may be learned from."""

    index: int
    train: tuple[Sample, ...]
    held_out: tuple[Sample, ...]


def make_folds(samples: Sequence[Sample], config: SplitConfig) -> list[Fold]:
    """Hold out each group once, with anomalous and normal samples spread evenly over the folds.

    A group with any anomalous sample counts as anomalous. scikit-learn's StratifiedGroupKFold
    was not taken: it does not promise that the few anomalous groups are dealt evenly.

    Args:
        samples: training samples of one part.

    Raises:
        DataError: fewer normal or anomalous groups than folds. A part without any anomalous
            training sample is allowed: its held-out defects are synthetic.
    """
    part = samples[0].part if samples else "a part"
    anomalous = {sample.group for sample in samples if sample.is_anomalous}
    normal = {sample.group for sample in samples} - anomalous
    _require_enough(part, "normal", len(normal), config.folds)
    if anomalous:
        _require_enough(part, "anomalous", len(anomalous), config.folds)
    rng = np.random.default_rng(config.seed)
    fold_of = {
        **_deal(anomalous, samples, config.folds, rng),
        **_deal(normal, samples, config.folds, rng),
    }
    return [
        Fold(
            index,
            train=tuple(s for s in samples if fold_of[s.group] != index),
            held_out=tuple(s for s in samples if fold_of[s.group] == index),
        )
        for index in range(config.folds)
    ]


def _deal(
    groups: Iterable[str], samples: Sequence[Sample], folds: int, rng: np.random.Generator
) -> dict[str, int]:
    size = {group: sum(s.group == group for s in samples) for group in groups}
    shuffled = rng.permutation(sorted(size))
    load = np.zeros(folds)
    fold_of = {}
    for group in sorted(shuffled, key=lambda name: -size[name]):  # stable: ties stay shuffled
        fold = int(load.argmin())
        fold_of[str(group)] = fold
        load[fold] += size[group]
    return fold_of


def _require_enough(part: str, label: str, found: int, folds: int) -> None:
    if found < folds:
        largest = f"at most {found}" if found >= 2 else "not possible: add samples"
        raise DataError(
            f"{part}: {found} {label} group{'s' * (found != 1)} in train, but {folds} folds; some "
            f"fold would be validated without any. Lower split.folds (--folds): {largest}."
        )
