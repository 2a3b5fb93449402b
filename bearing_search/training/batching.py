"""Which samples an iteration sees, and by how much they are turned. No torch.

Every draw is a pure function of a seed and a position, so that a resumed stage sees the batches
that it would have seen. Axis letters: b batch.
"""

import numpy as np
from jaxtyping import Int


def shuffled_epoch(
    count: int, *, batch_size: int, seed: tuple[int, ...]
) -> list[Int[np.ndarray, " b"]]:
    """Every index once, shuffled, in batches; the last one may be smaller, none is dropped."""
    order = np.random.default_rng(seed).permutation(count)
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]


def infinite_batches(
    iteration: int, count: int, *, batch_size: int, seed: tuple[int, ...]
) -> Int[np.ndarray, " b"]:
    """Batch number `iteration` of an endless row of shuffled passes, always full.

    A batch that spans two passes may show a sample twice; with fewer samples than a batch holds,
    the batch is one whole pass.
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
    """One of the eight ways to mirror and transpose a square, for a whole batch."""
    return int(np.random.default_rng(seed).integers(8))


def rotation_angle(limit_deg: float, *, seed: tuple[int, ...]) -> float:
    """One angle for a whole batch, uniform in [-limit, limit] (paper, section 4.1)."""
    return float(np.random.default_rng(seed).uniform(-limit_deg, limit_deg)) if limit_deg else 0.0
