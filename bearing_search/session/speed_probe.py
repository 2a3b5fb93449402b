"""Matrix multiplication speed of this machine, measured in a short-lived process."""

import os
import time
from dataclasses import dataclass

from bearing_search.processes.pool import process_pool

_MEASURED_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """The devices that trials would run on, and their speed."""

    device: str
    """`cpu` or `cuda`."""

    count: int
    """GPUs, or cores that this process may use."""

    gflop_per_s: float
    """Speed of one GPU, or of all those cores together, in the precision that trials use."""


def measure_speed(*, use_gpus: bool) -> Speed:
    """Time matrix products of the sizes used in the networks; mostly takes torch's import."""
    with process_pool(1) as process:
        return process.submit(_measure, use_gpus).result()


def _measure(use_gpus: bool) -> Speed:
    import torch  # this process only

    from bearing_search.training.precision import storage_dtype

    is_gpu = use_gpus and torch.cuda.is_available()
    device = "cuda" if is_gpu else "cpu"
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    rows, width = (16384, 768) if is_gpu else (2048, 384)
    tokens = torch.ones(rows, width, device=device, dtype=storage_dtype(device))
    weights = torch.ones(width, 4 * width, device=device, dtype=storage_dtype(device))

    def multiply() -> None:
        torch.matmul(tokens, weights)
        if is_gpu:
            torch.cuda.synchronize()

    for _ in range(3):
        multiply()
    begun, times = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begun) < _MEASURED_S:
        multiply()
        times += 1
    return Speed(
        device=device,
        count=torch.cuda.device_count() if is_gpu else cores,
        gflop_per_s=2 * rows * width * 4 * width * times / elapsed / 1e9,
    )
