"""Metrics and pictures of the fine-tuned heads after the last epoch.

Axis letters: n samples, s side of the input in pixels, r c rows and columns of patches.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from bearing_search.config import TrialConfig
from bearing_search.data.samples import Sample
from bearing_search.models.encoders.tokens import patch_labels, untouched_patches
from bearing_search.models.finetuning.multitask import MultiTaskModel
from bearing_search.models.finetuning.schedule import Task
from bearing_search.plots.montage import write_png
from bearing_search.training.checkpoint import Row
from bearing_search.training.finetuning.epoch_metrics import patch_metrics
from bearing_search.training.folds.fold_data import FoldData
from bearing_search.training.images import (
    Images,
    by_brightness,
    concat,
    region_of,
    take,
    to_input,
    to_pixels,
)
from bearing_search.training.microbatch import each_portion
from bearing_search.training.plan import learned_tasks
from bearing_search.training.plots.heads import patch_picture, reconstruction_picture
from bearing_search.training.precision import autocast

_BATCH = 16
_SHOWN = 2
"""Samples per kind in a picture."""


def reconstructions(
    model: MultiTaskModel, pixels: UInt8[np.ndarray, "n s s 3"], device: str
) -> UInt8[np.ndarray, "n s s 3"]:
    """H_RC's reconstructions, as bytes like the inputs."""
    return _answers(model, pixels, device, lambda images: to_pixels(model.reconstruct(images)[0]))


def patch_scores(
    model: MultiTaskModel, pixels: UInt8[np.ndarray, "n s s 3"], device: str
) -> Float[np.ndarray, "n r c"]:
    """Logit of anomalous minus logit of normal per patch; its sigmoid is the probability."""

    def scores(images: Float[Tensor, "b 3 s s"]) -> Float[np.ndarray, "b r c"]:
        logits = model.classify(images)[0].float()
        difference = (logits[..., 1] - logits[..., 0]).cpu().numpy()
        return difference.reshape(len(images), *model.encoder.grid)

    return _answers(model, pixels, device, scores)


def held_out_patch_metrics(
    model: MultiTaskModel, fold: FoldData, config: TrialConfig, device: str
) -> Row:
    """`patch_ap` and `patch_auroc` on held-out anomalous samples with a mask; NaN where undefined.

    Of the patches that the head was trained on; empty if no epoch trained it.
    """
    if Task.PATCH_CLASSIFICATION not in learned_tasks(config.finetune):
        return {}
    held_out = fold.held_out
    is_labelled = held_out.is_anomalous & held_out.has_mask
    with_roi = config.finetune.leave_out_masked_patches
    images = replace(held_out.images, roi=held_out.roi)
    anomalous = _inputs(take(images, np.flatnonzero(is_labelled), with_roi=with_roi), config)
    found: Row = {}
    if len(anomalous):
        side = model.encoder.patch_px
        labels = patch_labels(
            torch.from_numpy(anomalous.masks), side, coverage=config.finetune.patch_coverage
        ).flatten()
        scores = patch_scores(model, anomalous.pixels, device).ravel()
        kept = untouched_patches(torch.from_numpy(region_of(anomalous)), side).flatten()
        found = patch_metrics(scores[kept.numpy()], labels[kept].numpy())
    return {name: found.get(name, float("nan")) for name in ("patch_ap", "patch_auroc")}


def head_pictures(
    model: MultiTaskModel, fold: FoldData, config: TrialConfig, device: str, *, folder: Path
) -> None:
    """Write `reconstruction_<part>.png` and `patches_<part>.png` of training and held-out samples.

    Only for heads that were trained in at least one epoch.
    """
    held_out = fold.held_out
    normal, anomalous = (np.flatnonzero(held_out.is_anomalous == label) for label in (False, True))
    first = np.arange(_SHOWN)
    shown = [
        _Shown("train", fold.normals, fold.normal_samples, first),
        _Shown("train", fold.anomalous, fold.anomalous_samples, first),
        _Shown("held out", held_out.images, held_out.samples, normal[:_SHOWN]),
        _Shown("held out", held_out.images, held_out.samples, anomalous[:_SHOWN]),
    ]
    images, titles = _chosen(shown, config)
    tasks = learned_tasks(config.finetune)
    levels = max(len(s.level_files) for s in (*fold.normal_samples, *fold.held_out.samples))
    is_stack = levels > 1
    if Task.RECONSTRUCTION in tasks:
        rebuilt = reconstructions(model, images.pixels, device)
        picture = reconstruction_picture(images.pixels, rebuilt, titles, is_stack=is_stack)
        write_png(picture, folder / f"reconstruction_{fold.part}.png")
    if Task.PATCH_CLASSIFICATION in tasks:
        probabilities = 1 / (1 + np.exp(-patch_scores(model, images.pixels, device)))
        picture = patch_picture(
            images.pixels, images.masks, probabilities, titles, is_stack=is_stack
        )
        write_png(picture, folder / f"patches_{fold.part}.png")


class _Shown(NamedTuple):
    kind: str
    images: Images
    samples: Sequence[Sample]
    positions: Int[np.ndarray, " k"]


def _chosen(shown: Sequence[_Shown], config: TrialConfig) -> tuple[Images, list[str]]:
    """The images as encoder inputs, with their titles."""
    found, titles = [], []
    for kind, images, samples, positions in shown:
        inside = positions[positions < len(images)]
        picked = take(images, inside)
        inputs = _inputs(Images(pixels=picked.pixels, masks=picked.masks), config)
        per_sample = len(inputs) // max(1, len(inside))
        for sample in (samples[i] for i in inside):
            for level in range(per_sample):
                which = f", brightness image {level + 1}" if per_sample > 1 else ""
                titles.append(f"{kind}: {sample.defect}/{sample.name}{which}")
        found.append(inputs)
    return concat(found), titles


def _inputs(images: Images, config: TrialConfig) -> Images:
    return images if config.fusion == "channels" else by_brightness(images)


@torch.no_grad()
def _answers(
    model: MultiTaskModel,
    pixels: UInt8[np.ndarray, "n s s 3"],
    device: str,
    answer: Callable[[Tensor], np.ndarray],
) -> np.ndarray:
    model.eval()

    def of(part: slice) -> np.ndarray:
        images = to_input(pixels[part], device)
        with autocast(device):
            return answer(images)

    return np.concatenate(each_portion(len(pixels), of, at_most=_BATCH, what="heads"))
