"""Prepared images as batches of tensors: order, rotation, normalisation.

Every draw is a pure function of a seed and a position, so that a resumed stage sees the batches
that it would have seen. Axis letters: n samples, b batch, s side of the input in pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Prepared images of one part that are trained on together."""

    pixels: UInt8[np.ndarray, "n s s 3"]
    masks: Bool[np.ndarray, "n s s"]

    def __len__(self) -> int:
        return len(self.pixels)


def to_input(pixels: UInt8[np.ndarray, "b s s 3"], device: str) -> Float[Tensor, "b 3 s s"]:
    """ImageNet-normalised input of the encoder; bytes travel to the device, floats do not."""
    images = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
    mean = torch.tensor(_IMAGENET_MEAN, device=device).view(3, 1, 1)
    std = torch.tensor(_IMAGENET_STD, device=device).view(3, 1, 1)
    return ((images - mean) / std).contiguous()


def pass_over(count: int, *, batch_size: int, seed: tuple[int, ...]) -> list[Int[np.ndarray, " b"]]:
    """Every index once, shuffled, in batches; the last one may be smaller, none is dropped."""
    order = np.random.default_rng(seed).permutation(count)
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]


def endless_batch(
    iteration: int, count: int, *, batch_size: int, seed: tuple[int, ...]
) -> Int[np.ndarray, " b"]:
    """Batch number `iteration` of an endless row of shuffled passes, always full.

    A batch that spans two passes may show a sample twice; with fewer samples than a batch holds,
    the batch is one whole pass.
    """
    size = min(batch_size, count)
    first = iteration * size
    picked = []
    for number in range(first // count, (first + size - 1) // count + 1):
        order = np.random.default_rng((*seed, number)).permutation(count)
        begin = max(0, first - number * count)
        picked.append(order[begin : first + size - number * count])
    return np.concatenate(picked)


def rotation_angle(limit_deg: float, *, seed: tuple[int, ...]) -> float:
    """One angle for a whole batch, uniform in [-limit, limit] (paper, section 4.1)."""
    return float(np.random.default_rng(seed).uniform(-limit_deg, limit_deg)) if limit_deg else 0.0


def rotate(images: Images, angle_deg: float) -> Images:
    """Turn images (bilinear) and masks (nearest) about their middle; what enters is black."""
    if not angle_deg:
        return images
    side = images.pixels.shape[1]
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle_deg, 1.0)
    pixels = [cv2.warpAffine(p, matrix, (side, side)) for p in images.pixels]
    masks = [
        cv2.warpAffine(m.astype(np.uint8), matrix, (side, side), flags=cv2.INTER_NEAREST) > 0
        for m in images.masks
    ]
    return Images(pixels=np.stack(pixels), masks=np.stack(masks))


def pick(images: Images, index: Int[np.ndarray, " b"]) -> Images:
    """The images at the given positions."""
    return Images(pixels=images.pixels[index], masks=images.masks[index])
