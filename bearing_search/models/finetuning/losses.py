"""Fine-tuning losses (paper, equations 3 to 6).

All are computed in fp32, even under autocast. Axis letters: b samples, n patch tokens, d or c
channels, h w rows and columns.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

FEATURE_RANGE = 6.0
"""Dynamic range of a z-scored channel: three standard deviations on either side."""

GAUSSIAN_SIGMA = 1.5

_IGNORED = -100
"""Label of patches that do not count."""

Moments = tuple[Float[Tensor, "1 c 1 1"], Float[Tensor, "1 c 1 1"]]
"""Mean and standard deviation of each channel."""


def ssim(
    first: Float[Tensor, "b c h w"],
    second: Float[Tensor, "b c h w"],
    *,
    data_range: float,
    window: int,
) -> Float[Tensor, ""]:
    """Mean structural similarity over samples, channels and windows; 1 for equal maps.

    Args:
        data_range: dynamic range of the values.
        window: odd side of the Gaussian window (sigma 1.5). Only windows entirely inside the map
            count; on smaller maps, the window shrinks to the largest odd side that fits.

    Source: Wang et al. 2004, single scale.
    """
    shortest = min(first.shape[2:])
    window = min(window, shortest - 1 + shortest % 2)
    rows, columns = (_gaussian_band(side, window, first) for side in first.shape[2:])
    mean1, mean2, square1, square2, product = (
        rows @ maps @ columns.T
        for maps in (first, second, first * first, second * second, first * second)
    )
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    luminance = (2 * mean1 * mean2 + c1) / (mean1**2 + mean2**2 + c1)
    variances = (square1 - mean1**2) + (square2 - mean2**2)
    structure = (2 * (product - mean1 * mean2) + c2) / (variances + c2)
    return (luminance * structure).mean()


def _gaussian_band(side: int, window: int, like: Tensor) -> Tensor:
    """The filter along one axis as a matrix; faster on small maps than a depthwise convolution."""
    offsets = torch.arange(window, device=like.device, dtype=like.dtype) - window // 2
    weights = torch.exp(-(offsets**2) / (2 * GAUSSIAN_SIGMA**2))
    band = like.new_zeros(side - window + 1, side)
    for start, row in enumerate(band):
        row[start : start + window] = weights / weights.sum()
    return band


def perceptual_loss(
    trained: Sequence[Float[Tensor, "b c h w"]],
    pretrained: Sequence[Float[Tensor, "b c h w"]],
    *,
    window: int,
    moments: Sequence[Moments] | None = None,
) -> Float[Tensor, ""]:
    """Sum over layers of ``1 - SSIM``, which keeps the trained features close to the frozen ones.

    Args:
        trained: features of the encoder being fine-tuned, one map per SSIM layer.
        pretrained: features of the frozen encoder, same layers, same order; no gradient.
        window: side of the SSIM window, in tokens; smaller maps shrink it (see `ssim`).
        moments: moments of the frozen maps, layer by layer; None: those of `pretrained`. With the
            moments of a whole batch, the losses of its micro-batches average to that of the batch.

    Source: paper, equation 3. The paper leaves SSIM's dynamic range open for features. A range over
    all channels would be dominated by DINOv2's few outlier channels, so both maps are z-scored per
    channel with the mean and standard deviation of the frozen map (over the batch), range 6.
    """
    with torch.autocast(trained[0].device.type, enabled=False):
        moments = moments or [feature_moments(frozen) for frozen in pretrained]
        losses = [
            1 - ssim(*_standardised(ours, frozen, *of_it), data_range=FEATURE_RANGE, window=window)
            for ours, frozen, of_it in zip(trained, pretrained, moments, strict=True)
        ]
        return torch.stack(losses).sum()


def feature_moments(frozen: Float[Tensor, "b c h w"]) -> Moments:
    """Mean and standard deviation (at least 1e-6) of each channel, over samples and positions."""
    reference = wide(frozen.detach())
    mean = reference.mean(dim=(0, 2, 3), keepdim=True)
    # torch.std over these axes would take as long as the filters
    squares = (reference - mean).square().mean(dim=(0, 2, 3), keepdim=True)
    return mean, squares.sqrt().clamp_min(1e-6)


def _standardised(
    ours: Tensor, frozen: Tensor, mean: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    return (wide(ours) - mean) / scale, (wide(frozen.detach()) - mean) / scale


def pixel_loss(
    reconstructed: Float[Tensor, "b c h w"], images: Float[Tensor, "b c h w"]
) -> Float[Tensor, ""]:
    """Mean squared error between the normalised images.

    Source: paper, equation 4, which sums instead: 602,112 times as much at 448 px, which would
    swamp the perceptual loss.
    """
    return F.mse_loss(wide(reconstructed), wide(images))


def patch_loss(
    logits: Float[Tensor, "b n 2"],
    patch_labels: Bool[Tensor, "b n"],
    *,
    positive_weight: float,
    kept: Bool[Tensor, "b n"] | None = None,
) -> Float[Tensor, ""]:
    """Weighted cross entropy over the patches.

    Args:
        logits: logits of normal and anomalous, in this order.
        patch_labels: whether a patch is anomalous.
        positive_weight: weight of an anomalous patch; a normal one has weight 1. The sum is divided
            by the sum of the weights, so the weight changes the balance but not the step size.
        kept: the patches that count; None: all. Where none does, the loss is 0.

    Source: paper, equation 6 (weights of 1).
    """
    flat = wide(logits).flatten(0, 1)
    weights = flat.new_tensor([1.0, positive_weight])
    labels = patch_labels.flatten().long()
    if kept is not None:
        if not kept.any():
            return flat.sum() * 0
        labels = labels.masked_fill(~kept.flatten(), _IGNORED)
    return F.cross_entropy(flat, labels, weight=weights, ignore_index=_IGNORED)


def patch_weight(
    patch_labels: Bool[Tensor, "b n"],
    *,
    positive_weight: float,
    kept: Bool[Tensor, "b n"] | None = None,
) -> float:
    """Sum of the weights that `patch_loss` divides by; micro-batches are weighted by it."""
    counted = patch_labels if kept is None else patch_labels[kept]
    positive = int(counted.sum())
    return counted.numel() - positive + positive * positive_weight


def wide(tensor: Tensor) -> Tensor:
    """The tensor in fp32 or a higher precision."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
