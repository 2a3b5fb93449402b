"""Micro-batches: work that does not fit into the device's memory is done in smaller portions.

A training step keeps its batch size by gradient accumulation over micro-batches. The micro-batch
size is not a setting, because the step is the same except for rounding and dropout masks; callers
must ensure this (see `Finetuner` and `DecoderDetector`).
"""

import gc
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch

from bearing_search.errors import TrialFailedError

MICRO_BATCH_ROW = "micro_batch"
"""Name of the micro-batch size among a stage's measurements; present only if a batch was split."""

DRAWS = 2**40
"""Added to an iteration's random seed for each further micro-batch, so that dropout masks differ
between micro-batches and from those of other iterations."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class MicroBatches:
    """Micro-batch size of a stage, halved whenever the device runs out of memory.

    Args:
        what: name of the stage in messages.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self.size: int | None = None
        """Samples per micro-batch; None: whole batches."""

    @property
    def row(self) -> dict[str, float]:
        """The micro-batch size as a measurement; empty for whole batches."""
        return {} if self.size is None else {MICRO_BATCH_ROW: float(self.size)}

    def step(
        self,
        count: int,
        attempt: Callable[[Sequence[slice]], T],
        *,
        relieve: Callable[[], bool] = lambda: False,
    ) -> T:
        """Run a step over `count` samples, in ever smaller portions until they fit into memory.

        Args:
            count: samples in the batch.
            attempt: runs the whole step over the given portions.
            relieve: frees device memory without changing results; returns whether it could.

        Raises:
            TrialFailedError: a single sample does not fit into the device's memory.
        """
        while True:
            try:
                return attempt(portions(count, self.size or count))
            except Exception as error:  # out of memory has several classes; others propagate
                if not is_out_of_memory(error):
                    raise
                reason = _first_line(error)
            # outside the except clause, whose traceback keeps the failed attempt's tensors alive
            release_memory()
            if relieve():
                _log.warning(
                    "%s: out of device memory (%s); cached features are moved to main memory",
                    self._what,
                    reason,
                )
                continue
            self.size = _halved(min(self.size or count, count), self._what, reason)
            _log.warning(
                "%s: out of device memory (%s); from now on gradients are accumulated over "
                "micro-batches of %d of %d samples",
                self._what,
                reason,
                self.size,
                count,
            )


def each_portion(count: int, run: Callable[[slice], T], *, at_most: int, what: str) -> list[T]:
    """Results of a function of independent samples, portion by portion.

    Args:
        count: number of samples.
        run: called with the slice of each portion.
        at_most: samples per portion at first; halved if the device runs out of memory.
        what: name of the result in messages.

    Raises:
        TrialFailedError: a single sample does not fit into the device's memory.
    """
    found: list[T] = []
    start = 0
    while start < count:
        try:
            found.append(run(slice(start, min(start + at_most, count))))
            start += at_most
            continue
        except Exception as error:  # as above
            if not is_out_of_memory(error):
                raise
            reason = _first_line(error)
        release_memory()
        at_most = _halved(min(at_most, count - start), what, reason)
        _log.warning("%s: out of device memory (%s); now %d at a time", what, reason, at_most)
    return found


def portions(count: int, size: int) -> list[slice]:
    """`count` samples split into slices of `size`; the last one may be smaller."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def share_of(part: slice, count: int) -> float:
    """Share of `count` samples that are in a slice."""
    return len(range(part.start, part.stop)) / count


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device ran out of memory; CUDA libraries raise other errors than PyTorch."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "STATUS_ALLOC_FAILED" in str(error)


def release_memory() -> None:
    """Collect garbage, and return PyTorch's cached GPU memory."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def smallest(rows: Sequence[tuple[str, Mapping[str, float]]]) -> dict[str, int]:
    """Stage -> smallest micro-batch size in its measurements; only stages that split a batch."""
    found: dict[str, int] = {}
    for what, row in rows:
        if MICRO_BATCH_ROW in row:
            size = int(row[MICRO_BATCH_ROW])
            found[what] = min(size, found.get(what, size))
    return found


def _halved(size: int, what: str, reason: str) -> int:
    if size <= 1:
        raise TrialFailedError(
            f"{what}: a single sample does not fit into device memory ({reason}). Lower "
            "encoder.input_px, use a smaller encoder, or give each trial a whole GPU "
            "(--gpus-per-trial 1)"
        )
    return (size + 1) // 2


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
