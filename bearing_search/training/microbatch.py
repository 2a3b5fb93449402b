"""What a device has no room for at once is done in smaller portions.

A training step keeps its batch: the gradients of its micro-batches are added up. How many samples
go through the network at once is no setting, since the step is the same but for rounding and for
the draws of dropout; whoever calls sees to that (see `Finetuning` and `DecoderDetector`).
"""

import gc
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch

from bearing_search.errors import TrialFailedError

MICRO_BATCH_ROW = "micro_batch"
"""Name, among what a stage measures, of the samples that went through the network at once. Only
there where that was less than the batch."""

DRAWS = 2**40
"""Added to the random seed of an iteration once for each further micro-batch: dropout draws anew
in each of them, and never what another iteration draws."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class MicroBatches:
    """How much of a batch goes through the network at once: halved whenever that is too much.

    Args:
        what: the stage, for people.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self.size: int | None = None
        """Samples at once; None: whole batches."""

    @property
    def row(self) -> dict[str, float]:
        """What a measurement says of it: nothing for whole batches."""
        return {} if self.size is None else {MICRO_BATCH_ROW: float(self.size)}

    def step(
        self,
        count: int,
        attempt: Callable[[Sequence[slice]], T],
        *,
        relieve: Callable[[], bool] = lambda: False,
    ) -> T:
        """Do a step over `count` samples, in smaller and smaller portions until it has room.

        Args:
            count: samples of the batch.
            attempt: does the step over the portions it is given, from its beginning.
            relieve: frees memory of the device in a way that changes no number; whether it could.

        Raises:
            TrialFailedError: there is no room for one sample.
        """
        while True:
            try:
                return attempt(portions(count, self.size or count))
            except Exception as error:  # no room has several classes; others go on
                if not is_out_of_memory(error):
                    raise
                reason = _first_line(error)
            # out of the except clause, whose traceback holds the tensors of the failed attempt
            release_memory()
            if relieve():
                _log.warning(
                    "%s: no room on the device (%s); what was cached there is moved to main memory",
                    self._what,
                    reason,
                )
                continue
            self.size = _halved(min(self.size or count, count), self._what, reason)
            _log.warning(
                "%s: no room on the device (%s); from now on %d of %d samples at once, the "
                "gradients of a batch added up",
                self._what,
                reason,
                self.size,
                count,
            )


def each_portion(count: int, run: Callable[[slice], T], *, at_most: int, what: str) -> list[T]:
    """Results of a function of samples that do not know of each other, portion by portion.

    Args:
        count: of all samples.
        run: gets the positions of a portion.
        at_most: samples of a portion, to begin with.
        what: for people.

    Raises:
        TrialFailedError: the device has no room for one sample.
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
        _log.warning("%s: no room on the device (%s); now %d at once", what, reason, at_most)
    return found


def portions(count: int, size: int) -> list[slice]:
    """`count` positions in slices of `size`; the last one may be smaller."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def share_of(part: slice, count: int) -> float:
    """Share of `count` samples that a slice holds."""
    return len(range(part.start, part.stop)) / count


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device had no room; CUDA's libraries raise other errors for it than PyTorch."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "STATUS_ALLOC_FAILED" in str(error)


def release_memory() -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def smallest(rows: Sequence[tuple[str, Mapping[str, float]]]) -> dict[str, int]:
    """The smallest micro-batch by stage, from what the stages measured; only where they split."""
    found: dict[str, int] = {}
    for what, row in rows:
        if MICRO_BATCH_ROW in row:
            size = int(row[MICRO_BATCH_ROW])
            found[what] = min(size, found.get(what, size))
    return found


def _halved(size: int, what: str, reason: str) -> int:
    if size <= 1:
        raise TrialFailedError(
            f"{what}: the device has no room for a single sample ({reason}). Lower "
            "encoder.input_px, take a smaller encoder, or give each trial a whole GPU "
            "(--gpus-per-trial 1)"
        )
    return (size + 1) // 2


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
