"""Which task an epoch of the fine-tuning trains."""

from enum import StrEnum


class Task(StrEnum):
    """What the encoder learns in one epoch."""

    RECONSTRUCTION = "reconstruction"
    PATCH_CLASSIFICATION = "patch_classification"


def task_at(epoch: int, *, reconstruction_only_epochs: int, alternation_period: int) -> Task:
    """Task trained in `epoch` (0-based).

    Reconstruction runs alone for `reconstruction_only_epochs`; then the tasks take turns of
    `alternation_period` epochs each. The paper (section 3.2) does not say which one opens the
    alternation: patch classification does here, because reconstruction has just had those
    epochs to itself.
    """
    if epoch < reconstruction_only_epochs:
        return Task.RECONSTRUCTION
    turn = (epoch - reconstruction_only_epochs) // alternation_period
    return Task.PATCH_CLASSIFICATION if turn % 2 == 0 else Task.RECONSTRUCTION
