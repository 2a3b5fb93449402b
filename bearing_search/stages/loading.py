"""Prepared images as batches of tensors: rotation, normalisation.

Axis letters: n samples, b batch, s side of the input in pixels.
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


def by_brightness(images: Images) -> Images:
    """Each brightness image as an input of its own, in all three channels: thrice as many."""
    alone = np.repeat(np.moveaxis(images.pixels, 3, 1)[..., None], 3, axis=4)
    return Images(
        pixels=np.ascontiguousarray(alone.reshape(-1, *images.pixels.shape[1:])),
        masks=np.repeat(images.masks, 3, axis=0),
    )
