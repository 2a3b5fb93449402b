"""What is not finite ends a trial: with the iteration, the learning rate and what is left."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from torch import Tensor

from bearing_search.errors import TrialFailedError
from bearing_search.training.checkpoint import Checkpoint


def require_finite(values: Mapping[str, float], *, iteration: int, rate: str) -> None:
    """Refuse what a step would be taken by.

    Args:
        values: losses and the gradient's norm, by name.
        iteration: 0-based.
        rate: the learning rate with its name, for the message.

    Raises:
        TrialFailedError: naming the first value that is not finite.
    """
    for name, value in values.items():
        if not np.isfinite(value):
            raise TrialFailedError(f"{name} is not finite at iteration {iteration} ({rate})")


def require_finite_weights(parameters: Iterable[Tensor]) -> None:
    """Refuse to keep weights that a step has broken.

    Raises:
        TrialFailedError: a weight is not finite.
    """
    if not all(bool(parameter.isfinite().all()) for parameter in parameters):
        raise TrialFailedError("a weight is not finite")


@contextmanager
def stage_error_context(stage: str, checkpoint: Checkpoint, *, advice: str) -> Iterator[None]:
    """Say of a failed trial in which stage it was, which checkpoint is left and what to change.

    Raises:
        TrialFailedError: in the place of the one that was raised within.
    """
    try:
        yield
    except TrialFailedError as error:
        last = f"iteration {checkpoint.iteration}" if checkpoint.iteration else "the start"
        raise TrialFailedError(
            f"{stage}: {error}; the last finite checkpoint is {last}. {advice}"
        ) from None
