"""Non-finite losses, gradients and weights fail a trial, with a message that says where."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from torch import Tensor

from bearing_search.errors import TrialFailedError
from bearing_search.training.checkpoint import Checkpoint


def require_finite(values: Mapping[str, float], *, iteration: int, rate: str) -> None:
    """Fail before an optimiser step with non-finite losses or gradients.

    Args:
        values: losses and the gradient norm, by name.
        iteration: 0-based.
        rate: learning rate with its name, for the message.

    Raises:
        TrialFailedError: naming the first value that is not finite.
    """
    for name, value in values.items():
        if not np.isfinite(value):
            raise TrialFailedError(f"{name} is not finite at iteration {iteration} ({rate})")


def require_finite_weights(parameters: Iterable[Tensor]) -> None:
    """Fail before non-finite weights are saved.

    Raises:
        TrialFailedError: a weight is not finite.
    """
    if not all(bool(parameter.isfinite().all()) for parameter in parameters):
        raise TrialFailedError("a weight is not finite")


@contextmanager
def stage_error_context(stage: str, checkpoint: Checkpoint, *, advice: str) -> Iterator[None]:
    """Add the stage, the last finite checkpoint and advice to errors raised in the context.

    Raises:
        TrialFailedError: replaces the one raised in the context.
    """
    try:
        yield
    except TrialFailedError as error:
        last = f"iteration {checkpoint.iteration}" if checkpoint.iteration else "the start"
        raise TrialFailedError(
            f"{stage}: {error}; the last finite checkpoint is {last}. {advice}"
        ) from None
