"""Mini-batch sampling and random augmentation parameters. No torch.

Every draw is a pure function of a seed and a position, so a resumed stage gets the same batches as
an uninterrupted one. Axis letters: b batch.
"""

import numpy as np
from jaxtyping import Int


def shuffled_epoch(
    count: int, *, batch_size: int, seed: tuple[int, ...]
) -> list[Int[np.ndarray, " b"]]:
    """Batches of a shuffled pass over all indices; the last one may be smaller."""
    order = np.random.default_rng(seed).permutation(count)
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]


def infinite_batches(
    iteration: int, count: int, *, batch_size: int, seed: tuple[int, ...]
) -> Int[np.ndarray, " b"]:
    """Batch `iteration` of an endless sequence of shuffled passes, always full.

    A batch that spans two passes may contain a sample twice; with fewer samples than `batch_size`,
    each batch is one whole pass.
    """
    size = min(batch_size, count)
    first = iteration * size
    picked = []
    for number in range(first // count, (first + size - 1) // count + 1):
        order = np.random.default_rng((*seed, number)).permutation(count)
        begin = max(0, first - number * count)
        picked.append(order[begin : first + size - number * count])
    return np.concatenate(picked)


def flip_code(*, seed: tuple[int, ...]) -> int:
    """One of the eight symmetries of a square, for a whole batch (see `images.flip`)."""
    return int(np.random.default_rng(seed).integers(8))


def brightness_factor(limit: float, *, seed: tuple[int, ...]) -> float:
    """Factor on the grey levels of a whole batch, uniform in [1 - limit, 1 + limit]."""
    return float(np.random.default_rng(seed).uniform(1 - limit, 1 + limit)) if limit else 1.0


def rotation_angle(limit_deg: float, *, seed: tuple[int, ...]) -> float:
    """Rotation angle of a whole batch, uniform in [-limit, limit] (paper, section 4.1)."""
    return float(np.random.default_rng(seed).uniform(-limit_deg, limit_deg)) if limit_deg else 0.0
