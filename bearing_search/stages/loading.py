"""Prepared images as batches of tensors: rotation, drawn defects, normalisation.

Axis letters: n samples, b batch, s side of the input in pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from bearing_search.data.synthetic_defects import draw_defect

Seed = tuple[int, ...]

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Prepared images that are trained on together."""

    pixels: UInt8[np.ndarray, "n s s 3"]
    masks: Bool[np.ndarray, "n s s"]
    roi: Bool[np.ndarray, "n s s"] | None = None
    """Where defects may be drawn; None: everywhere."""

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
        roi=None if images.roi is None else np.repeat(images.roi, 3, axis=0),
    )


def with_drawn_defects(images: Images, index: Int[np.ndarray, " b"], *, seed: Seed) -> Images:
    """The images at the given positions, each with a defect: a function of seed and position.

    Args:
        seed: what else the defects depend on, such as the epoch.
    """
    pixels, masks = images.pixels[index].copy(), np.zeros_like(images.masks[index])
    for row, position in enumerate(index):
        allowed = np.ones_like(masks[row]) if images.roi is None else images.roi[position]
        rng = np.random.default_rng((*seed, int(position)))
        pixels[row], masks[row] = draw_defect(pixels[row], allowed, rng)
    return Images(pixels=pixels, masks=masks)


def pick_or_draw(
    anomalous: Images, normals: Images, index: Int[np.ndarray, " b"], *, seed: Seed
) -> Images:
    """Real samples, then drawn ones: positions beyond `anomalous` go on in `normals`."""
    is_real = index < len(anomalous)
    real = pick(anomalous, index[is_real])
    if is_real.all():
        return real
    drawn = with_drawn_defects(normals, index[~is_real] - len(anomalous), seed=seed)
    return Images(
        pixels=np.concatenate([real.pixels, drawn.pixels]),
        masks=np.concatenate([real.masks, drawn.masks]),
    )
