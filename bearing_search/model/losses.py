"""Losses of the fine-tuning (paper, equations 3 to 6) and of the decoders.

All are computed in fp32, also under autocast. Axis letters: g groups, k scales, b samples,
n patch tokens, d or c channels, h w rows and columns.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from bearing_search.config import DinomalyConfig

FEATURE_RANGE = 6.0
"""Dynamic range of a channel after its z-score: three standard deviations to either side."""

GAUSSIAN_SIGMA = 1.5
COSINE_EPS = 1e-8


def ssim(
    first: Float[Tensor, "b c h w"],
    second: Float[Tensor, "b c h w"],
    *,
    data_range: float,
    window: int,
) -> Float[Tensor, ""]:
    """Mean structural similarity over samples, channels and windows; 1 for equal maps.

    Args:
        data_range: largest difference that values can have.
        window: odd side of the Gaussian window (sigma 1.5). Only windows that lie wholly inside the
            map count; where the map is smaller, the window shrinks to the largest odd side
            that fits.

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
    """The filter along one axis as a matrix: on small maps quicker than a depthwise convolution."""
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
) -> Float[Tensor, ""]:
    """Sum over layers of ``1 - SSIM``, keeping the trained features near the frozen ones.

    Args:
        trained: features of the encoder being fine-tuned, one map per SSIM layer.
        pretrained: features of the frozen encoder, same layers, same order; no gradient.
        window: side of the SSIM window, in tokens; smaller maps shrink it (see `ssim`).

    Source: paper, equation 3. The paper leaves SSIM's dynamic range open for features. A range over
    all channels would be that of DINOv2's few outlier channels, so both maps are z-scored channel
    by channel with the mean and deviation of the frozen map (over the batch), range 6.
    """
    with torch.autocast(trained[0].device.type, enabled=False):
        losses = [
            1 - ssim(*_standardised(ours, frozen), data_range=FEATURE_RANGE, window=window)
            for ours, frozen in zip(trained, pretrained, strict=True)
        ]
        return torch.stack(losses).sum()


def _standardised(ours: Tensor, frozen: Tensor) -> tuple[Tensor, Tensor]:
    reference = _wide(frozen.detach())
    mean = reference.mean(dim=(0, 2, 3), keepdim=True)
    centred = reference - mean
    # torch.std over these axes takes as long as the filters
    scale = centred.square().mean(dim=(0, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)
    return (_wide(ours) - mean) / scale, centred / scale


def pixel_loss(
    reconstructed: Float[Tensor, "b c h w"], images: Float[Tensor, "b c h w"]
) -> Float[Tensor, ""]:
    """Mean squared difference of the normalised pictures.

    Source: paper, equation 4, which sums instead: 602,112 times as much at 448 px, next to which
    the perceptual loss would vanish.
    """
    return F.mse_loss(_wide(reconstructed), _wide(images))


def patch_loss(
    logits: Float[Tensor, "b n 2"], patch_labels: Bool[Tensor, "b n"], *, positive_weight: float
) -> Float[Tensor, ""]:
    """Cross entropy of the patches, averaged with weights.

    Args:
        logits: of normal and anomalous, in this order.
        patch_labels: whether a patch is anomalous.
        positive_weight: weight of an anomalous patch, a normal one weighing 1. The sum is divided
            by the sum of the weights, so that the weight shifts the balance and not the step size.

    Source: paper, equation 6 (weights of 1).
    """
    wide = _wide(logits).flatten(0, 1)
    weights = wide.new_tensor([1.0, positive_weight])
    return F.cross_entropy(wide, patch_labels.flatten().long(), weight=weights)


def mining_share_at(iteration: int, config: DinomalyConfig) -> float:
    """Share of the easiest points that are held back in an iteration (0-based)."""
    ramp = iteration / config.mining_ramp_iters
    return min(config.mining_share * ramp, config.mining_share)


def dinomaly_loss(
    targets: Float[Tensor, "g b n d"],
    outputs: Float[Tensor, "g b n d"],
    *,
    mining_share: float,
    mining_factor: float,
) -> Float[Tensor, ""]:
    """Mean over groups and samples of 1 - cosine between whole maps, with hard mining.

    Mining changes gradients only, never the value: points whose own cosine distance lies below the
    k-th largest of their group, over the whole batch, pass on `mining_factor` of theirs.

    Args:
        targets: the encoder's groups, patch tokens only; they receive no gradient.
        outputs: the decoder's answer, patch tokens only. Where a whole map is 0 its loss is 1, and
            it receives no gradient.
        mining_share: share of points that are easy, in [0, 1); k is the rest, at least one point.
        mining_factor: what the gradient of an easy point is multiplied by.

    Source: Guo et al. 2025, equation 5 and its official code.
    """
    loss: Tensor = _MinedCosine.apply(targets.detach(), outputs, mining_share, mining_factor)
    return loss


def vitad_loss(
    targets: Float[Tensor, "k b n d"], outputs: Float[Tensor, "k b n d"]
) -> Float[Tensor, ""]:
    """Sum over scales of the mean over samples of 1 - cosine between whole maps.

    Args:
        targets: the teacher's scales, patch tokens only; they receive no gradient.
        outputs: the student's answers, patch tokens only.

    Source: Zhang et al. 2023 and its official code. It is Dinomaly's loss without mining, summed
    where that one is averaged.
    """
    mean: Tensor = _MinedCosine.apply(targets.detach(), outputs, 0.0, 1.0)
    return mean * len(targets)


class _MinedCosine(torch.autograd.Function):
    """Three sums per token give both the points' distances and the whole maps' cosine, and the
    gradient is a sum of the two maps with one factor per token: no pass over the maps is spent on
    mining."""

    @staticmethod
    def forward(ctx: Any, targets: Tensor, outputs: Tensor, share: float, factor: float) -> Tensor:
        wide_targets, wide_outputs = _wide(targets), _wide(outputs)
        dots = (wide_targets * wide_outputs).sum(dim=-1)
        target_squares = wide_targets.square().sum(dim=-1)
        output_squares = wide_outputs.square().sum(dim=-1)

        point_cosine = dots / (_norm(target_squares) * _norm(output_squares))
        distances = (1 - point_cosine).flatten(1)
        hardest = max(1, int(distances.shape[1] * (1 - share)))
        threshold = distances.topk(hardest, dim=1).values[:, -1:]
        gains = torch.where(distances < threshold, factor, 1.0).reshape(dots.shape)

        output_norm = _norm(output_squares.sum(dim=2))
        norms = _norm(target_squares.sum(dim=2)) * output_norm
        cosine = dots.sum(dim=2) / norms
        # a map of nothing has no direction to turn in
        has_direction = output_norm > COSINE_EPS
        per_map = gains * has_direction.unsqueeze(2) / cosine.numel()
        ctx.save_for_backward(
            targets,
            outputs,
            per_map / -norms.unsqueeze(2),
            per_map * (cosine / output_norm**2).unsqueeze(2),
        )
        return (1 - cosine).mean()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None, None]:
        targets, outputs, of_target, of_output = ctx.saved_tensors
        (gradient,) = gradients
        of_target, of_output = of_target * gradient, of_output * gradient
        total = torch.addcmul(
            _wide(outputs) * of_output.unsqueeze(3), _wide(targets), of_target.unsqueeze(3)
        )
        return None, total.to(outputs.dtype), None, None


def _norm(squares: Tensor) -> Tensor:
    return squares.sqrt().clamp_min(COSINE_EPS)


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
