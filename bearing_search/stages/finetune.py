"""Alternating multi-task fine-tuning of the encoder (paper, section 3.2).

Reconstruction learns from normal samples, patch classification from anomalous ones, both through
one encoder. The frozen encoder is only read, at the SSIM layers. Axis letters: b batch,
n tokens without prefix, d width, c h w feature map, s side of the input in pixels.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from bearing_search.config import FinetuneConfig
from bearing_search.model.encoder import Encoder, EncoderOutput
from bearing_search.model.losses import patch_loss, perceptual_loss, pixel_loss
from bearing_search.model.multitask import MultiTaskModel
from bearing_search.model.optim import finetune_lr_factor, finetune_optimizer
from bearing_search.model.schedule import Task
from bearing_search.model.tokens import patch_labels
from bearing_search.model.trainable import choose_trainable
from bearing_search.stages.checkpoint import Checkpoint, Row
from bearing_search.stages.epoch import Epoch, PatchScores
from bearing_search.stages.finite import failing_as, require_finite, require_finite_weights
from bearing_search.stages.frozen import FrozenMaps, Maps, layer_maps
from bearing_search.stages.loading import Images, flip, pick, pick_or_draw, rotate, to_input
from bearing_search.stages.order import flip_way, rotation_angle
from bearing_search.stages.plans import Step
from bearing_search.stages.precision import autocast


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What one iteration's forward pass gives."""

    total: Float[Tensor, ""]
    """What is minimised."""

    losses: dict[str, Tensor]
    patches: PatchScores | None = None


class Finetuning:
    """The encoder that is tuned, its heads and its optimiser: what one iteration needs."""

    def __init__(
        self,
        encoder: Encoder,
        pretrained_encoder: Encoder,
        config: FinetuneConfig,
        *,
        normals: Images,
        anomalous: Images,
        rotation_deg: float,
        seed: int,
        device: str,
    ) -> None:
        torch.manual_seed(seed)  # initial weights of the heads
        choose_trainable(encoder, config.trainable_blocks)
        self.model = MultiTaskModel(encoder.train(), config).to(device)
        self.encoder = encoder
        self._pretrained = pretrained_encoder
        self._frozen = FrozenMaps(
            pretrained_encoder,
            config.ssim_layers,
            num_samples=0 if rotation_deg or config.flip else len(normals),
            device=device,
        )
        self._optimizer = finetune_optimizer(encoder, self.model.heads, config)
        self._peak_lrs = [group["lr"] for group in self._optimizer.param_groups]
        self._config, self._seed, self._device = config, seed, device
        self._normals, self._anomalous = normals, anomalous
        self._rotation_deg = rotation_deg

    def iterate(self, number: int, total: int, step: Step) -> tuple[Row, PatchScores | None]:
        """One optimiser step; returns its losses by name, and the patches that it classified.

        Raises:
            TrialFailedError: a loss or the gradient is not finite. The weights are as before.
        """
        factor = finetune_lr_factor(number, total=total, warmup_share=self._config.warmup_share)
        for group, peak in zip(self._optimizer.param_groups, self._peak_lrs, strict=True):
            group["lr"] = peak * factor
        torch.manual_seed(self._seed * 1_000_003 + number)
        if step.task is Task.RECONSTRUCTION:
            answer = self._reconstruction(step, number)
        else:
            answer = self._patch_classification(step, number)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(answer.total)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self._config.grad_clip)
        losses = {name: float(loss.detach()) for name, loss in answer.losses.items()}
        require_finite(
            {**losses, "the gradient": float(norm)},
            iteration=number,
            rate=f"encoder lr {self._config.encoder_lr * factor:.2g}",
        )
        self._optimizer.step()
        return losses, answer.patches

    @torch.no_grad()
    def settle(self) -> None:
        """End the training: move the encoder back towards its pretrained weights, if asked to."""
        if self._config.tuned_share < 1:
            pairs = zip(self.encoder.parameters(), self._pretrained.parameters(), strict=True)
            for ours, theirs in pairs:
                ours.lerp_(theirs, 1 - self._config.tuned_share)

    def state(self) -> dict[str, Any]:
        """What a later `load` needs to go on.

        Raises:
            TrialFailedError: a weight is not finite.
        """
        require_finite_weights(self.model.parameters())
        return {**self.result(), "optimizer": self._optimizer.state_dict()}

    def result(self) -> dict[str, Any]:
        """What a later `load` needs to use the encoder and its heads."""
        return {"encoder": self.encoder.state_dict(), "heads": self.model.heads.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Take over an earlier `state` or `result`."""
        self.encoder.load_state_dict(state["encoder"])
        self.model.heads.load_state_dict(state["heads"])
        if "optimizer" in state:
            self._optimizer.load_state_dict(state["optimizer"])

    def _augmented(self, images: Images, number: int) -> Images:
        """The batch of an iteration, turned and flipped as one."""
        turned = rotate(images, rotation_angle(self._rotation_deg, seed=(self._seed, 2, number)))
        return flip(turned, flip_way(seed=(self._seed, 9, number))) if self._config.flip else turned

    def _reconstruction(self, step: Step, number: int) -> _Answer:
        config = self._config
        batch = self._augmented(pick(self._normals, step.batch), number)
        images = to_input(batch.pixels, self._device)
        frozen = self._frozen.of_samples(step.batch, images)
        with autocast(self._device):
            rebuilt, output = self.model.reconstruct(images, config.ssim_layers)
        perceptual = perceptual_loss(self._maps(output), frozen, window=config.ssim_window)
        pixel = pixel_loss(rebuilt, images)
        total = config.perceptual_weight * perceptual + config.pixel_weight * pixel
        losses = {
            "reconstruction_loss": total,
            "perceptual_loss": perceptual,
            "pixel_loss": pixel,
        }
        return _Answer(total=total, losses=losses)

    def _patch_classification(self, step: Step, number: int) -> _Answer:
        config = self._config
        seed = (self._seed, 8, step.epoch)
        found = pick_or_draw(self._anomalous, self._normals, step.batch, seed=seed)
        batch = self._augmented(found, number)
        images = to_input(batch.pixels, self._device)
        masks = torch.from_numpy(batch.masks).to(self._device)
        labels = patch_labels(masks, self.encoder.patch_px, coverage=config.patch_coverage)
        is_anchored = config.patch_anchor_weight > 0
        with autocast(self._device):
            logits, output = self.model.classify(images, config.ssim_layers if is_anchored else ())
        wide = logits.float()
        total = patch_loss(wide, labels, positive_weight=config.positive_weight)
        losses = {"patch_loss": total}
        if is_anchored:
            losses["patch_anchor_loss"] = self._anchor(images, masks, output)
            total = total + config.patch_anchor_weight * losses["patch_anchor_loss"]
        scores = (wide[..., 1] - wide[..., 0]).detach().flatten()
        patches = PatchScores(scores=scores, is_anomalous=labels.flatten())
        return _Answer(total=total, losses=losses, patches=patches)

    def _anchor(
        self,
        images: Float[Tensor, "b 3 s s"],
        masks: Bool[Tensor, "b s s"],
        output: EncoderOutput,
    ) -> Float[Tensor, ""]:
        """L_P of the normal patches of anomalous samples.

        Patches with any anomalous pixel show the frozen features on both sides, so that nothing
        holds them. Leaving out the SSIM windows that they touch would leave out most of a map.
        """
        strange = patch_labels(masks, self.encoder.patch_px)
        frozen = self._frozen.of(images)
        released = strange.reshape(len(images), 1, *self.encoder.grid)
        held = [
            torch.where(released, theirs, ours)
            for ours, theirs in zip(self._maps(output), frozen, strict=True)
        ]
        return perceptual_loss(held, frozen, window=self._config.ssim_window)

    def _maps(self, output: EncoderOutput) -> Maps:
        return layer_maps(output, self._config.ssim_layers, self.encoder)


def finetune(
    tuning: Finetuning,
    plan: list[Step],
    *,
    checkpoint: Checkpoint,
    should_stop: Callable[[], bool],
) -> Iterator[Row]:
    """Run what is left of the plan, yielding what each epoch measured (earlier ones first).

    Afterwards `tuning.encoder` is the fine-tuned encoder if `checkpoint.is_finished`; otherwise
    the stage was asked to stop and has saved its state.

    Raises:
        TrialFailedError: a loss, the gradient or a weight is not finite.
    """
    if checkpoint.state is not None:
        tuning.load(checkpoint.state["tuning"])
    yield from list(checkpoint.history)
    if checkpoint.is_finished:
        return
    advice = "Lower finetune.encoder_lr or finetune.head_lr."
    with failing_as("fine-tuning", checkpoint, advice=advice):
        yield from _iterations(tuning, plan, checkpoint, should_stop)


def _iterations(
    tuning: Finetuning, plan: list[Step], checkpoint: Checkpoint, should_stop: Callable[[], bool]
) -> Iterator[Row]:
    epoch = Epoch(**checkpoint.state["epoch"]) if checkpoint.state else Epoch()
    checkpoint.started()

    def state() -> dict[str, Any]:
        return {"tuning": tuning.state(), "epoch": epoch.state()}

    for number in range(checkpoint.iteration, len(plan)):
        if should_stop():
            checkpoint.save(number, state())
            return
        step = plan[number]
        losses, patches = tuning.iterate(number, len(plan), step)
        epoch.add(losses, patches, samples=len(step.batch))
        if step.ends_epoch:
            checkpoint.history.append(epoch.row())
            yield checkpoint.history[-1]
            epoch = Epoch()
        checkpoint.save_if_due(number + 1, state)
    tuning.state()  # refuses weights that the last step broke
    tuning.settle()
    checkpoint.finish(len(plan), {"tuning": tuning.result()})
