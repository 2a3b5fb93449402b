"""Speed of the exact metrics compared with scikit-learn's, and of an interval.

python benchmarks/metrics.py [--maps 160] [--side 256]
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from bearing_search.evaluation.metrics import PreparedScores, score


def some_scores(count: int, side: int) -> tuple[np.ndarray, ...]:
    """Random maps; every second sample has two small regions with higher scores."""
    generator = np.random.default_rng(0)
    masks = np.zeros((count, side, side), dtype=bool)
    for index in range(0, count, 2):
        for row, column in generator.integers(0, side - 20, size=(2, 2)):
            masks[index, row : row + generator.integers(4, 20), column : column + 12] = True
    maps = generator.normal(size=masks.shape).astype(np.float32) + masks
    is_anomalous = np.asarray(masks.any(axis=(1, 2)))
    return maps, masks, maps.max(axis=(1, 2)).astype(float), is_anomalous


def scikit_learn(maps: np.ndarray, masks: np.ndarray, *_: np.ndarray) -> None:
    """Compute pixel AUROC, AP and F1-max; scikit-learn has no AUPRO."""
    roc_auc_score(masks.ravel(), maps.ravel())
    average_precision_score(masks.ravel(), maps.ravel())
    precision_recall_curve(masks.ravel(), maps.ravel())


def seconds(call: Callable[[], object], repeats: int = 3) -> float:
    """Shortest of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--maps", type=int, default=160)
    parser.add_argument("--side", type=int, default=256)
    arguments = parser.parse_args()
    data = some_scores(arguments.maps, arguments.side)
    print(f"{arguments.maps} maps of {arguments.side} px, {data[1].sum()} anomalous pixels")
    ours = seconds(lambda: score(*data))
    theirs = seconds(lambda: scikit_learn(*data), repeats=1)
    print(f"all seven and pixel_aupro_200, here    {ours:7.3f} s")
    print(f"AUROC, AP, F1-max in scikit-learn      {theirs:7.3f} s  {theirs / ours:5.0f} x")

    prepare = seconds(lambda: PreparedScores(*data), repeats=1)
    prepared = PreparedScores(*data)
    everyone = np.arange(arguments.maps)
    draws = seconds(lambda: [prepared.at(np.delete(everyone, one)) for one in everyone], repeats=1)
    print(f"prepared for leaving samples out       {prepare:7.3f} s")
    print(f"all seven, each sample left out once   {draws:7.3f} s")
    anew = arguments.maps * ours
    print(f"the same by full scoring (estimated)   {anew:7.0f} s  {anew / draws:5.0f} x")


if __name__ == "__main__":
    main()
