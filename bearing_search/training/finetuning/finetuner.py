"""Alternating multi-task fine-tuning of the encoder (paper, section 3.2).

Reconstruction is trained on normal samples, patch classification on anomalous ones, both through
the same encoder. The frozen encoder only provides features at the SSIM layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from bearing_search.config import FinetuneConfig
from bearing_search.models.encoders.encoder import Encoder
from bearing_search.models.encoders.tokens import untouched_patches
from bearing_search.models.finetuning.multitask import MultiTaskModel
from bearing_search.models.finetuning.schedule import Task
from bearing_search.models.finetuning.trainable import choose_trainable
from bearing_search.models.optim import finetune_optimizer
from bearing_search.training.batching import brightness_factor, flip_code, rotation_angle
from bearing_search.training.checkpoint import Row
from bearing_search.training.features import Features
from bearing_search.training.finetuning.epoch_metrics import PatchScores
from bearing_search.training.finetuning.frozen_features import FrozenMaps
from bearing_search.training.finetuning.task_losses import Batch, TaskLosses, concat_patches
from bearing_search.training.images import (
    Images,
    brighten,
    flip,
    require_untouched_patches,
    rotate,
    take,
    take_or_draw,
    to_input,
)
from bearing_search.training.microbatch import MicroBatches
from bearing_search.training.nonfinite import require_finite, require_finite_weights
from bearing_search.training.plan import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneSamples:
    """Training data of a `Finetuner`."""

    normals: Images
    anomalous: Images
    rotation_deg: float
    """Maximum rotation of a batch in either direction."""

    frozen: Features | None = None
    """Features of the pretrained encoder at the SSIM layers, for the normal samples; None: computed
    in every iteration, as is necessary with augmentation."""


class Finetuner:
    """The encoder being fine-tuned, with its heads and optimiser.

    `seed` sets PyTorch's global random state for the heads' initial weights and dropout, because
    neither `nn.Linear` nor `nn.Dropout` takes a generator.
    """

    def __init__(
        self,
        encoder: Encoder,
        pretrained_encoder: Encoder,
        config: FinetuneConfig,
        samples: FinetuneSamples,
        *,
        seed: int,
        device: str,
    ) -> None:
        if config.leave_out_masked_patches:
            setting = "finetune.leave_out_masked_patches"
            for images in (samples.normals, samples.anomalous):
                require_untouched_patches(images, encoder.patch_px, setting=setting)
        torch.manual_seed(seed)  # initial weights of the heads
        choose_trainable(encoder, config.trainable_blocks)
        self.model = MultiTaskModel(encoder.train(), config).to(device)
        self.encoder = encoder
        self._pretrained = pretrained_encoder
        maps = FrozenMaps(
            pretrained_encoder, config.ssim_layers, kept=samples.frozen, device=device
        )
        self._losses = TaskLosses(self.model, maps, config, device=device)
        self._optimizer = finetune_optimizer(encoder, self.model.heads, config)
        self._peak_lrs = [group["lr"] for group in self._optimizer.param_groups]
        self.config = config
        self._samples, self._seed, self._device = samples, seed, device
        self.micro_batches = MicroBatches("fine-tuning")

    def iterate(self, number: int, step: Step) -> tuple[Row, PatchScores | None]:
        """One optimiser step; returns its losses by name, and the classified patches.

        Raises:
            TrialFailedError: a loss or the gradient is not finite. The weights are unchanged.
        """
        for group, peak in zip(self._optimizer.param_groups, self._peak_lrs, strict=True):
            group["lr"] = peak * step.lr_factor
        losses, patches = self.micro_batches.step(
            len(step.batch), lambda parts: self.accumulate_gradient(step, number, parts)
        )
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_clip)
        require_finite(
            {**losses, "the gradient": float(norm)},
            iteration=number,
            rate=f"encoder lr {self.config.encoder_lr * step.lr_factor:.2g}",
        )
        self._optimizer.step()
        return losses, patches

    @torch.no_grad()
    def interpolate_weights(self) -> None:
        """Interpolate the encoder towards its pretrained weights if `tuned_share` is below 1."""
        if self.config.tuned_share < 1:
            pairs = zip(self.encoder.parameters(), self._pretrained.parameters(), strict=True)
            for ours, theirs in pairs:
                ours.lerp_(theirs, 1 - self.config.tuned_share)

    def state(self) -> dict[str, Any]:
        """State that a later `load` needs to resume training.

        Raises:
            TrialFailedError: a weight is not finite.
        """
        require_finite_weights(self.model.parameters())
        return {
            **self.result(),
            "optimizer": self._optimizer.state_dict(),
            "micro_batch": self.micro_batches.size,
        }

    def result(self) -> dict[str, Any]:
        """State that a later `load` needs to use the encoder and its heads."""
        return {"encoder": self.encoder.state_dict(), "heads": self.model.heads.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Restore an earlier `state` or `result`."""
        self.encoder.load_state_dict(state["encoder"])
        self.model.heads.load_state_dict(state["heads"])
        if "optimizer" in state:
            self._optimizer.load_state_dict(state["optimizer"])
            self.micro_batches.size = state.get("micro_batch")

    def augmented(self, images: Images, number: int) -> Images:
        """The images of an iteration, all rotated, flipped and brightened alike."""
        angle = rotation_angle(self._samples.rotation_deg, seed=(self._seed, 2, number))
        altered = rotate(images, angle)
        if self.config.flip:
            altered = flip(altered, flip_code(seed=(self._seed, 9, number)))
        limit = self.config.brightness_jitter
        return brighten(altered, brightness_factor(limit, seed=(self._seed, 10, number)))

    def accumulate_gradient(
        self, step: Step, number: int, parts: Sequence[slice]
    ) -> tuple[Row, PatchScores | None]:
        """Accumulate the gradient of a batch in the parameters; returns its losses and patches."""
        self._optimizer.zero_grad(set_to_none=True)
        torch.manual_seed(self._seed * 1_000_003 + number)  # dropout
        losses: Row = {}
        patches = []
        for answer in self._losses.losses_of_parts(step.task, self._batch(step, number, parts)):
            torch.autograd.backward(answer.total)
            for name, loss in answer.losses.items():
                losses[name] = losses.get(name, 0.0) + float(loss.detach())
            if answer.patches is not None:
                patches.append(answer.patches)
        return losses, concat_patches(patches)

    def _batch(self, step: Step, number: int, parts: Sequence[slice]) -> Batch:
        samples, with_roi = self._samples, self.config.leave_out_masked_patches
        if step.task is Task.RECONSTRUCTION:
            found = take(samples.normals, step.batch, with_roi=with_roi)
        else:
            seed = (self._seed, 8, step.epoch)
            found = take_or_draw(
                samples.anomalous, samples.normals, step.batch, seed=seed, with_roi=with_roi
            )
        turned = self.augmented(found, number)
        kept = None
        if turned.roi is not None:
            kept = untouched_patches(torch.from_numpy(turned.roi), self.encoder.patch_px)
        return Batch(
            positions=step.batch,
            images=to_input(turned.pixels, self._device),
            masks=torch.from_numpy(turned.masks).to(self._device),
            parts=parts,
            kept=None if kept is None else kept.to(self._device),
        )
