"""Alternating multi-task fine-tuning of the encoder (paper, section 3.2).

Reconstruction learns from normal samples, patch classification from anomalous ones, both through
one encoder. The frozen encoder is only read, at the SSIM layers. Axis letters: b batch,
n tokens without prefix, d width, c h w feature map, s side of the input in pixels.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bearing_search.config import FinetuneConfig
from bearing_search.errors import TrialFailedError
from bearing_search.model.encoder import Encoder, EncoderOutput
from bearing_search.model.heads import PatchHead, ReconstructionHead
from bearing_search.model.losses import patch_loss, perceptual_loss, pixel_loss
from bearing_search.model.optim import finetune_lr_factor, finetune_optimizer
from bearing_search.model.schedule import Task
from bearing_search.model.tokens import patch_labels, patch_tokens, tokens_to_map
from bearing_search.stages.checkpoint import Checkpoint, Row
from bearing_search.stages.loading import (
    Images,
    pick,
    rotate,
    to_input,
)
from bearing_search.stages.order import rotation_angle
from bearing_search.stages.plans import Step
from bearing_search.stages.precision import autocast

Maps = list[Float[Tensor, "b c h w"]]

_MAX_CACHE_BYTES = 2 * 2**30


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
        self.encoder = encoder.to(device).train()
        self._frozen = pretrained_encoder.to(device).eval()
        self._heads = nn.ModuleDict(
            {
                "reconstruction": ReconstructionHead(encoder.dim, encoder.patch_px),
                "patch": PatchHead(encoder.dim),
            }
        ).to(device)
        self._optimizer = finetune_optimizer(self.encoder, self._heads, config)
        self._peak_lrs = [group["lr"] for group in self._optimizer.param_groups]
        self._config, self._seed, self._device = config, seed, device
        self._normals, self._anomalous, self._rotation_deg = normals, anomalous, rotation_deg
        rows, columns = encoder.grid
        floats = len(normals) * len(config.ssim_layers) * encoder.dim * rows * columns
        self._is_cacheable = rotation_deg == 0 and 4 * floats <= _MAX_CACHE_BYTES
        self._reference: dict[int, Maps] = {}

    def iterate(self, number: int, total: int, step: Step) -> dict[str, Tensor]:
        """One optimiser step; returns its losses by name, detached."""
        factor = finetune_lr_factor(number, total=total, warmup_share=self._config.warmup_share)
        for group, peak in zip(self._optimizer.param_groups, self._peak_lrs, strict=True):
            group["lr"] = peak * factor
        torch.manual_seed(self._seed * 1_000_003 + number)
        angle = rotation_angle(self._rotation_deg, seed=(self._seed, 2, number))
        if step.task is Task.RECONSTRUCTION:
            losses = self._reconstruction(step, angle)
        else:
            losses = self._patch_classification(step, angle)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(next(iter(losses.values())))
        parameters = [*self.encoder.parameters(), *self._heads.parameters()]
        nn.utils.clip_grad_norm_(parameters, self._config.grad_clip)
        self._optimizer.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def state(self) -> dict[str, Any]:
        """What a later `load` needs to go on."""
        return {
            "encoder": self.encoder.state_dict(),
            "heads": self._heads.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from an earlier `state`; that of a finished stage has no optimiser any more."""
        self.encoder.load_state_dict(state["encoder"])
        self._heads.load_state_dict(state["heads"])
        if "optimizer" in state:
            self._optimizer.load_state_dict(state["optimizer"])

    def _reconstruction(self, step: Step, angle: float) -> dict[str, Tensor]:
        config = self._config
        images = to_input(rotate(pick(self._normals, step.batch), angle).pixels, self._device)
        frozen = self._frozen_maps(step.batch, images)
        with autocast(self._device):
            output = self.encoder(images, config.ssim_layers, final=True)
            rebuilt = self._heads["reconstruction"](self._patch_tokens(output))
        perceptual = perceptual_loss(self._maps(output), frozen, window=config.ssim_window)
        pixel = pixel_loss(rebuilt, images)
        total = config.perceptual_weight * perceptual + config.pixel_weight * pixel
        return {
            "reconstruction_loss": total,
            "perceptual_loss": perceptual,
            "pixel_loss": pixel,
        }

    def _patch_classification(self, step: Step, angle: float) -> dict[str, Tensor]:
        batch = rotate(pick(self._anomalous, step.batch), angle)
        images = to_input(batch.pixels, self._device)
        labels = patch_labels(torch.from_numpy(batch.masks).to(self._device), self.encoder.patch_px)
        with autocast(self._device):
            output = self.encoder(images, (), final=True)
            logits = self._heads["patch"](self._patch_tokens(output))
        return {
            "patch_loss": patch_loss(
                logits.float(), labels, positive_weight=self._config.positive_weight
            )
        }

    @torch.no_grad()
    def _frozen_maps(self, batch: Int[np.ndarray, " b"], images: Float[Tensor, "b 3 s s"]) -> Maps:
        """EN_pre's maps; without rotation each sample is encoded once, if there is room."""
        if not self._is_cacheable:
            return self._encode_frozen(images)
        missing = [i for i, index in enumerate(batch) if int(index) not in self._reference]
        if missing:
            maps = self._encode_frozen(images[missing])
            for row, position in enumerate(missing):
                self._reference[int(batch[position])] = [m[row].cpu() for m in maps]
        samples = [self._reference[int(index)] for index in batch]
        return [torch.stack(layer).to(self._device) for layer in zip(*samples, strict=True)]

    def _encode_frozen(self, images: Float[Tensor, "b 3 s s"]) -> Maps:
        with autocast(self._device):
            return self._maps(self._frozen(images, self._config.ssim_layers))

    def _maps(self, output: EncoderOutput) -> Maps:
        return [
            tokens_to_map(output.blocks[layer], self.encoder).float()
            for layer in self._config.ssim_layers
        ]

    def _patch_tokens(self, output: EncoderOutput) -> Float[Tensor, "b n d"]:
        assert output.final is not None
        return patch_tokens(output.final, self.encoder)


def finetune(
    tuning: Finetuning,
    plan: list[Step],
    *,
    checkpoint: Checkpoint,
    should_stop: Callable[[], bool],
) -> Iterator[Row]:
    """Run what is left of the plan, yielding the mean losses of each epoch (earlier ones first).

    Afterwards `tuning.encoder` is the fine-tuned encoder if `checkpoint.is_finished`; otherwise
    the stage was asked to stop and has saved its state.

    Raises:
        TrialFailedError: a loss is not finite.
    """
    if checkpoint.state is not None:
        tuning.load(checkpoint.state["tuning"])
    yield from list(checkpoint.history)
    if checkpoint.is_finished:
        return
    sums: dict[str, Any] = dict(checkpoint.state["sums"]) if checkpoint.state else {}
    checkpoint.started()

    def state() -> dict[str, Any]:
        return {"tuning": tuning.state(), "sums": sums}

    for number in range(checkpoint.iteration, len(plan)):
        if should_stop():
            checkpoint.save(number, state())
            return
        step = plan[number]
        for name, loss in tuning.iterate(number, len(plan), step).items():
            sums[name] = sums.get(name, 0.0) + float(loss) * len(step.batch)
        sums["samples"] = sums.get("samples", 0) + len(step.batch)
        _require_finite(sums, number)
        if step.ends_epoch:
            row = {name: value / sums["samples"] for name, value in sums.items()}
            del row["samples"]
            sums.clear()
            checkpoint.history.append(row)
            yield row
        checkpoint.save_if_due(number + 1, state)
    output = tuning.state()
    del output["optimizer"]
    checkpoint.finish(len(plan), {"tuning": output})


def _require_finite(sums: dict[str, Any], number: int) -> None:
    broken = [name for name, value in sums.items() if not np.isfinite(value)]
    if broken:
        raise TrialFailedError(
            f"fine-tuning: {broken[0]} is not finite at iteration {number}. "
            "Lower finetune.encoder_lr or finetune.head_lr."
        )
