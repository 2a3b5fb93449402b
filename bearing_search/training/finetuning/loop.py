"""The fine-tuning loop, from the checkpoint to the end of the plan."""

from collections.abc import Callable, Iterator
from typing import Any

from bearing_search.training.checkpoint import Checkpoint, Row
from bearing_search.training.finetuning.epoch_metrics import Epoch
from bearing_search.training.finetuning.finetuner import Finetuner
from bearing_search.training.nonfinite import stage_error_context
from bearing_search.training.plan import Step


def finetune(
    finetuner: Finetuner,
    plan: list[Step],
    *,
    checkpoint: Checkpoint,
    should_stop: Callable[[], bool],
    is_whole: bool = True,
) -> Iterator[Row]:
    """Run the rest of the plan and yield the metrics of each epoch, starting with earlier ones.

    Afterwards `finetuner.encoder` is the fine-tuned encoder if `checkpoint.is_finished`; otherwise
    the stage was asked to stop and saved its state.

    Args:
        is_whole: whether the training ends with the plan. If not, the final checkpoint has
            everything needed to continue.

    Raises:
        TrialFailedError: a loss, the gradient or a weight is not finite.
    """
    if checkpoint.state is not None:
        finetuner.load(checkpoint.state["tuning"])
    yield from list(checkpoint.history)
    if checkpoint.is_finished:
        return
    advice = "Lower finetune.encoder_lr or finetune.head_lr."
    with stage_error_context("fine-tuning", checkpoint, advice=advice):
        yield from _iterations(finetuner, plan, checkpoint, should_stop)
        if checkpoint.iteration < len(plan):
            return
        # `state` raises for non-finite weights
        state = {"tuning": finetuner.state(), "epoch": Epoch().state()}
        if is_whole:
            finetuner.interpolate_weights()
            state = {"tuning": finetuner.result()}
        checkpoint.finish(len(plan), state)


def _iterations(
    finetuner: Finetuner, plan: list[Step], checkpoint: Checkpoint, should_stop: Callable[[], bool]
) -> Iterator[Row]:
    epoch = Epoch(**checkpoint.state["epoch"]) if checkpoint.state else Epoch()
    checkpoint.started()

    def state() -> dict[str, Any]:
        return {"tuning": finetuner.state(), "epoch": epoch.state()}

    for number in range(checkpoint.iteration, len(plan)):
        if should_stop():
            checkpoint.save(number, state())
            return
        step = plan[number]
        losses, patches = finetuner.iterate(number, step)
        epoch.add(losses, patches, samples=len(step.batch))
        if step.ends_epoch:
            checkpoint.history.append(epoch.row() | finetuner.micro_batches.row)
            yield checkpoint.history[-1]
            epoch = Epoch()
        checkpoint.save_if_due(number + 1, state)
    checkpoint.iteration = len(plan)
