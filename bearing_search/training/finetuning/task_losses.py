"""Losses of both fine-tuning tasks on a batch, one micro-batch at a time.

If a batch does not fit into device memory, its micro-batches go through the network one by one.
Losses are means over samples or patches. The moments of the frozen maps are not; they are computed
over the whole batch first, so that losses and gradients of the micro-batches add up to those of the
batch. Axis letters: b batch, p patches, s side of the input in
pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bearing_search.config import FinetuneConfig
from bearing_search.models.encoders.encoder import EncoderOutput
from bearing_search.models.encoders.tokens import patch_labels
from bearing_search.models.finetuning.losses import (
    Moments,
    feature_moments,
    patch_loss,
    patch_weight,
    perceptual_loss,
    pixel_loss,
)
from bearing_search.models.finetuning.multitask import MultiTaskModel
from bearing_search.models.finetuning.schedule import Task
from bearing_search.training.finetuning.epoch_metrics import PatchScores
from bearing_search.training.finetuning.frozen_features import FrozenMaps, Maps, layer_maps
from bearing_search.training.microbatch import share_of
from bearing_search.training.precision import autocast


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The data of one iteration."""

    positions: Int[np.ndarray, " b"]
    images: Float[Tensor, "b 3 s s"]
    masks: Bool[Tensor, "b s s"]
    parts: Sequence[slice]
    """The micro-batches."""

    kept: Bool[Tensor, "b p"] | None = None
    """Patches that the losses are of; None: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLoss:
    """Losses of a micro-batch; those of all micro-batches add up to the losses of the batch."""

    total: Float[Tensor, ""]
    """The loss to minimise."""

    losses: dict[str, Tensor]
    patches: PatchScores | None = None


class TaskLosses:
    """Forward passes of both tasks.

    Args:
        model: the encoder being fine-tuned, with its heads.
        frozen: the pretrained encoder's feature maps.
        config: fine-tuning settings.
        device: device of the model.
    """

    def __init__(
        self, model: MultiTaskModel, frozen: FrozenMaps, config: FinetuneConfig, *, device: str
    ) -> None:
        self._model, self._frozen = model, frozen
        self._config, self._device = config, device

    def losses_of_parts(self, task: Task, batch: Batch) -> Iterator[TaskLoss]:
        """Losses of each micro-batch, computed lazily."""
        if task is Task.RECONSTRUCTION:
            return self._reconstruction(batch)
        return self._patch_classification(batch)

    def _reconstruction(self, batch: Batch) -> Iterator[TaskLoss]:
        config = self._config
        frozen = [self._frozen.of_samples(batch.positions[p], batch.images[p]) for p in batch.parts]
        moments = moments_of(frozen)
        for part, maps in zip(batch.parts, frozen, strict=True):
            images, share = batch.images[part], share_of(part, len(batch.images))
            with autocast(self._device):
                rebuilt, output = self._model.reconstruct(images, config.ssim_layers)
            ours = self._maps(output)
            if batch.kept is not None:
                left_out = self._on_grid(~batch.kept[part])
                ours = _released(ours, maps, left_out)
                rebuilt = torch.where(self._in_pixels(left_out), images, rebuilt)
            perceptual = share * perceptual_loss(
                ours, maps, window=config.ssim_window, moments=moments
            )
            pixel = share * pixel_loss(rebuilt, images)
            total = config.perceptual_weight * perceptual + config.pixel_weight * pixel
            losses = {
                "reconstruction_loss": total,
                "perceptual_loss": perceptual,
                "pixel_loss": pixel,
            }
            yield TaskLoss(total=total, losses=losses)

    def _patch_classification(self, batch: Batch) -> Iterator[TaskLoss]:
        config = self._config
        labels = patch_labels(
            batch.masks, self._model.encoder.patch_px, coverage=config.patch_coverage
        )
        weigh = partial(patch_weight, positive_weight=config.positive_weight)
        is_anchored = config.patch_anchor_weight > 0
        frozen = [self._frozen.of(batch.images[p]) if is_anchored else [] for p in batch.parts]
        moments = moments_of(frozen)
        for part, maps in zip(batch.parts, frozen, strict=True):
            images, here = batch.images[part], labels[part]
            kept = None if batch.kept is None else batch.kept[part]
            with autocast(self._device):
                logits, output = self._model.classify(
                    images, config.ssim_layers if is_anchored else ()
                )
            wide = logits.float()
            total = patch_loss(wide, here, positive_weight=config.positive_weight, kept=kept)
            if len(batch.parts) > 1:
                of_batch = weigh(labels, kept=batch.kept)
                total = total * (weigh(here, kept=kept) / of_batch if of_batch else 0)
            losses = {"patch_loss": total}
            if is_anchored:
                is_released = patch_labels(batch.masks[part], self._model.encoder.patch_px)
                if kept is not None:
                    is_released = is_released | ~kept
                anchor = self._anchor(is_released, output, maps, moments)
                losses["patch_anchor_loss"] = share_of(part, len(labels)) * anchor
                total = total + config.patch_anchor_weight * losses["patch_anchor_loss"]
            scores = (wide[..., 1] - wide[..., 0]).detach()
            counted = ... if kept is None else kept
            patches = PatchScores(
                scores=scores[counted].flatten(), is_anomalous=here[counted].flatten()
            )
            yield TaskLoss(total=total, losses=losses, patches=patches)

    def _anchor(
        self,
        is_released: Bool[Tensor, "b p"],
        output: EncoderOutput,
        frozen: Maps,
        moments: Sequence[Moments] | None,
    ) -> Float[Tensor, ""]:
        """L_P of the normal patches of anomalous samples.

        Patches with any anomalous pixel are released, and those that are left out.
        """
        held = _released(self._maps(output), frozen, self._on_grid(is_released))
        return perceptual_loss(held, frozen, window=self._config.ssim_window, moments=moments)

    def _on_grid(self, patches: Bool[Tensor, "b p"]) -> Bool[Tensor, "b 1 h w"]:
        return patches.reshape(len(patches), 1, *self._model.encoder.grid)

    def _in_pixels(self, cells: Bool[Tensor, "b 1 h w"]) -> Bool[Tensor, "b 1 s s"]:
        side = self._model.encoder.patch_px
        return cells.repeat_interleave(side, dim=2).repeat_interleave(side, dim=3)

    def _maps(self, output: EncoderOutput) -> Maps:
        return layer_maps(output, self._config.ssim_layers, self._model.encoder)


def _released(ours: Maps, frozen: Maps, patches: Bool[Tensor, "b 1 h w"]) -> Maps:
    """Our maps with the frozen features in some patches, which the perceptual loss then does not
    constrain. Excluding the SSIM windows that they touch would exclude most of a map."""
    return [torch.where(patches, theirs, mine) for mine, theirs in zip(ours, frozen, strict=True)]


def moments_of(parts: Sequence[list[Float[Tensor, "_ c h w"]]]) -> list[Moments] | None:
    """Moments of the frozen maps over a whole batch, layer by layer; None if it is not split."""
    if len(parts) == 1:
        return None
    return [feature_moments(torch.cat(layer)) for layer in zip(*parts, strict=True)]


def concat_patches(parts: Sequence[PatchScores]) -> PatchScores | None:
    """All classified patches of a batch; None if there are none."""
    if not parts:
        return None
    return PatchScores(
        scores=torch.cat([part.scores for part in parts]),
        is_anomalous=torch.cat([part.is_anomalous for part in parts]),
    )
