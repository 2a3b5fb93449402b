"""Metrics of folds, averaged over folds and parts."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np


def mean_metrics(folds: Iterable[tuple[str, Mapping[str, float]]]) -> dict[str, float]:
    """Mean over folds for each part (`LC/pixel_aupro`), and over the parts (`pixel_aupro`).

    Parts have equal weight, as in the paper's tables. A metric that is undefined in a fold (for
    example because no anomalous sample has an ROI) is averaged over the others; one that a fold
    lacks (because it was scored before the metric was added) has no mean.

    Args:
        folds: part and metrics of every fold.
    """
    by_part: dict[str, list[Mapping[str, float]]] = {}
    for part, metrics in folds:
        by_part.setdefault(part, []).append(metrics)
    means = {part: _means(folds) for part, folds in by_part.items()}
    per_part = {f"{part}/{n}": value for part, row in means.items() for n, value in row.items()}
    return {**per_part, **_means(list(means.values()))}


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    means = {}
    for name in (name for name in rows[0] if all(name in row for row in rows)):
        defined = [row[name] for row in rows if not np.isnan(row[name])]
        means[name] = float(np.mean(defined)) if defined else float("nan")
    return means
