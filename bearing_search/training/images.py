"""Prepared images as batches of tensors: augmentation, synthetic defects, normalisation.

Axis letters: n samples, b batch, s side of the input in pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from bearing_search.data.synthetic_defects import draw_defect
from bearing_search.errors import TrialFailedError
from bearing_search.models.encoders.tokens import untouched_patches

Seed = tuple[int, ...]

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Prepared images that are trained on together."""

    pixels: UInt8[np.ndarray, "n s s 3"]
    masks: Bool[np.ndarray, "n s s"]
    roi: Bool[np.ndarray, "n s s"] | None = None
    """Region of interest, outside of which pixels are black; synthetic defects are drawn inside.
    None: everything."""

    is_rotatable: Bool[np.ndarray, " n"] | None = None
    """Which images may be rotated; None: all."""

    def __len__(self) -> int:
        return len(self.pixels)


def to_input(pixels: UInt8[np.ndarray, "b s s 3"], device: str) -> Float[Tensor, "b 3 s s"]:
    """ImageNet-normalised encoder input; the device receives bytes and converts them to floats."""
    images = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
    mean = torch.tensor(_IMAGENET_MEAN, device=device).view(3, 1, 1)
    std = torch.tensor(_IMAGENET_STD, device=device).view(3, 1, 1)
    return ((images - mean) / std).contiguous()


def to_pixels(images: Float[Tensor, "b 3 s s"]) -> UInt8[np.ndarray, "b s s 3"]:
    """Inverse of `to_input`, rounded and clipped to [0, 255]."""
    mean = torch.tensor(_IMAGENET_MEAN, device=images.device).view(3, 1, 1)
    std = torch.tensor(_IMAGENET_STD, device=images.device).view(3, 1, 1)
    grey = ((images.float() * std + mean) * 255).round().clamp(0, 255)
    return grey.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy()


def rotate(images: Images, angle_deg: float) -> Images:
    """Rotate images (bilinear) and masks (nearest) about their centre; new corners are black, and
    outside the region of interest."""
    if not angle_deg:
        return images
    if images.is_rotatable is not None and not images.is_rotatable.all():
        return _rotate_some(images, angle_deg)
    side = images.pixels.shape[1]
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle_deg, 1.0)
    pixels = [cv2.warpAffine(p, matrix, (side, side)) for p in images.pixels]

    def turned(masks: Bool[np.ndarray, "n s s"]) -> Bool[np.ndarray, "n s s"]:
        return np.stack(
            [
                cv2.warpAffine(m.astype(np.uint8), matrix, (side, side), flags=cv2.INTER_NEAREST)
                > 0
                for m in masks
            ]
        )

    return Images(
        pixels=np.stack(pixels),
        masks=turned(images.masks),
        roi=None if images.roi is None else turned(images.roi),
    )


def flip(images: Images, way: int) -> Images:
    """Flip vertically (bit 0 of `way`), horizontally (bit 1), then transpose (bit 2)."""

    def flipped(array: Shaped[np.ndarray, "n s s ..."]) -> Shaped[np.ndarray, "n s s ..."]:
        for bit, axis in ((1, 1), (2, 2)):
            if way & bit:
                array = np.flip(array, axis)
        return np.ascontiguousarray(array.swapaxes(1, 2) if way & 4 else array)

    return Images(
        pixels=flipped(images.pixels),
        masks=flipped(images.masks),
        roi=None if images.roi is None else flipped(images.roi),
        is_rotatable=images.is_rotatable,
    )


def brighten(images: Images, factor: float) -> Images:
    """Multiply all grey levels by a factor, rounded and clipped to [0, 255]; masks stay."""
    if factor == 1:
        return images
    table = np.clip(np.rint(np.arange(256) * factor), 0, 255).astype(np.uint8)
    return replace(images, pixels=table[images.pixels])


def _rotate_some(images: Images, angle_deg: float) -> Images:
    assert images.is_rotatable is not None
    pixels, masks = images.pixels.copy(), images.masks.copy()
    roi = None if images.roi is None else images.roi.copy()
    index = np.flatnonzero(images.is_rotatable)
    if len(index):
        chosen = None if roi is None else roi[index]
        turned = rotate(Images(pixels=pixels[index], masks=masks[index], roi=chosen), angle_deg)
        pixels[index], masks[index] = turned.pixels, turned.masks
        if roi is not None:
            roi[index] = turned.roi
    return Images(pixels=pixels, masks=masks, roi=roi, is_rotatable=images.is_rotatable)


def take(images: Images, index: Int[np.ndarray, " b"], *, with_roi: bool = False) -> Images:
    """The images at the given indices.

    Args:
        with_roi: whether the result has a region of interest; otherwise its `roi` is None.
    """
    may_turn = None if images.is_rotatable is None else images.is_rotatable[index]
    return Images(
        pixels=images.pixels[index],
        masks=images.masks[index],
        roi=region_of(images)[index] if with_roi else None,
        is_rotatable=may_turn,
    )


def region_of(images: Images) -> Bool[np.ndarray, "n s s"]:
    """The region of interest of each image."""
    return np.ones_like(images.masks) if images.roi is None else images.roi


def require_untouched_patches(images: Images, patch_px: int, *, setting: str) -> None:
    """Refuse samples all of whose patches the black mask touches.

    Raises:
        TrialFailedError: there are some.
    """
    kept = untouched_patches(torch.from_numpy(region_of(images)), patch_px)
    empty = int((~kept.any(dim=1)).sum())
    if empty:
        raise TrialFailedError(
            f"{setting} leaves no patch of {empty} of {len(images)} samples. Set it to false, or "
            "raise encoder.input_px or preprocess.circle.ring_half_width_px."
        )


def concat(sets: Sequence[Images]) -> Images:
    """Several sets of images concatenated."""
    if len(sets) == 1:
        return sets[0]
    return Images(
        pixels=np.concatenate([images.pixels for images in sets]),
        masks=np.concatenate([images.masks for images in sets]),
        roi=_concat([images.roi for images in sets]),
        is_rotatable=_concat([images.is_rotatable for images in sets]),
    )


def _concat(found: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [array for array in found if array is not None]
    assert len(known) in (0, len(found)), "an optional array is missing in some of the sets"
    return np.concatenate(known) if known else None


def by_brightness(images: Images) -> Images:
    """Each brightness image as a separate input, repeated in all three channels (3 n images)."""
    alone = np.repeat(np.moveaxis(images.pixels, 3, 1)[..., None], 3, axis=4)
    return Images(
        pixels=np.ascontiguousarray(alone.reshape(-1, *images.pixels.shape[1:])),
        masks=np.repeat(images.masks, 3, axis=0),
        roi=None if images.roi is None else np.repeat(images.roi, 3, axis=0),
        is_rotatable=None if images.is_rotatable is None else np.repeat(images.is_rotatable, 3),
    )


def with_drawn_defects(
    images: Images, index: Int[np.ndarray, " b"], *, seed: Seed, with_roi: bool = False
) -> Images:
    """The images at the given indices, each with a synthetic defect.

    Args:
        seed: seed of the defects, together with the index; includes the epoch, for example.
        with_roi: see `take`.
    """
    clean = take(images, index, with_roi=with_roi)
    pixels, masks = clean.pixels.copy(), np.zeros_like(clean.masks)
    for row, position in enumerate(index):
        allowed = np.ones_like(masks[row]) if images.roi is None else images.roi[position]
        rng = np.random.default_rng((*seed, int(position)))
        pixels[row], masks[row] = draw_defect(pixels[row], allowed, rng)
    return Images(pixels=pixels, masks=masks, roi=clean.roi, is_rotatable=clean.is_rotatable)


def take_or_draw(
    anomalous: Images,
    normals: Images,
    index: Int[np.ndarray, " b"],
    *,
    seed: Seed,
    with_roi: bool = False,
) -> Images:
    """Real defects, then synthetic ones: indices from `len(anomalous)` on refer to `normals`."""
    is_real = index < len(anomalous)
    real = take(anomalous, index[is_real], with_roi=with_roi)
    if is_real.all():
        return real
    synthetic = index[~is_real] - len(anomalous)
    drawn = with_drawn_defects(normals, synthetic, seed=seed, with_roi=with_roi)
    return concat([real, drawn])
