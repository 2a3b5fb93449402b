"""Decoder losses: cosine distances between whole feature maps, with hard mining.

All are computed in fp32, even under autocast. A point whose target and output are both 0 is left
out: it has no part in the cosine of its map, no gradient, and no rank in mining. Axis letters:
g groups, k scales, b samples, n patch tokens, d channels, q points: all patch tokens of all
samples.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from bearing_search.config import DinomalyConfig
from bearing_search.models.finetuning.losses import wide

COSINE_EPS = 1e-8


def mining_share_at(iteration: int, config: DinomalyConfig) -> float:
    """Share of points treated as easy in an iteration (0-based)."""
    ramp = iteration / config.mining_ramp_iters
    return min(config.mining_share * ramp, config.mining_share)


def dinomaly_loss(
    targets: Float[Tensor, "g b n d"],
    outputs: Float[Tensor, "g b n d"],
    *,
    mining_share: float,
    mining_factor: float,
    thresholds: Float[Tensor, "g 1"] | None = None,
) -> Float[Tensor, ""]:
    """Mean over groups and samples of 1 - cosine between whole feature maps, with hard mining.

    Mining changes gradients only, never the value: the gradient of a point whose cosine distance is
    below the k-th largest of its group, over the whole batch, is scaled by `mining_factor`.

    Args:
        targets: the encoder's groups, patch tokens only; they receive no gradient.
        outputs: the decoder's reconstructions, patch tokens only. A map that is 0 everywhere has a
            loss of 1 and receives no gradient.
        mining_share: share of easy points, in [0, 1); k is the number of the others, at least 1.
        mining_factor: factor on the gradient of an easy point.
        thresholds: distance below which a point is easy (see `mining_thresholds`); None: computed
            from these points. With the thresholds of a whole batch, the gradients of its
            micro-batches average to that of the batch.

    Source: Guo et al. 2025, equation 5, and the official code.
    """
    loss: Tensor = _MinedCosine.apply(
        targets.detach(), outputs, mining_share, mining_factor, thresholds
    )
    return loss


def point_distances(
    targets: Float[Tensor, "g b n d"], outputs: Float[Tensor, "g b n d"]
) -> Float[Tensor, "g q"]:
    """1 - cosine of every point of every sample, which hard mining in `dinomaly_loss` uses; -inf
    for points that are left out."""
    return _distances(*_sums(targets, outputs))


def mining_thresholds(points: Float[Tensor, "g q"], share: float) -> Float[Tensor, "g 1"]:
    """Distance of each group's k-th hardest point, where `share` of the points are easy.

    Points at -inf are left out, which are as many in every group.
    """
    num_points = int((points[0] > -torch.inf).sum())
    hardest = max(1, int(num_points * (1 - share)))
    return points.topk(hardest, dim=1).values[:, -1:]


def vitad_loss(
    targets: Float[Tensor, "k b n d"], outputs: Float[Tensor, "k b n d"]
) -> Float[Tensor, ""]:
    """Sum over scales of the mean over samples of 1 - cosine between whole feature maps.

    Args:
        targets: the teacher's scales, patch tokens only; they receive no gradient.
        outputs: the student's reconstructions, patch tokens only.

    Source: Zhang et al. 2023 and the official code. It is Dinomaly's loss without mining, summed
    over scales rather than averaged.
    """
    mean: Tensor = _MinedCosine.apply(targets.detach(), outputs, 0.0, 1.0, None)
    return mean * len(targets)


class _MinedCosine(torch.autograd.Function):
    """Three sums per token give both the point distances and the cosine of whole maps, and the
    gradient is a combination of the two maps with one factor per token, so mining needs no
    additional pass over the maps."""

    @staticmethod
    def forward(
        ctx: Any,
        targets: Tensor,
        outputs: Tensor,
        share: float,
        factor: float,
        thresholds: Tensor | None,
    ) -> Tensor:
        dots, target_squares, output_squares = _sums(targets, outputs)
        distances = _distances(dots, target_squares, output_squares)
        if thresholds is None:
            thresholds = mining_thresholds(distances, share)
        gains = torch.where(distances < thresholds, factor, 1.0).reshape(dots.shape)

        output_norm = _norm(output_squares.sum(dim=2))
        norms = _norm(target_squares.sum(dim=2)) * output_norm
        cosine = dots.sum(dim=2) / norms
        # the cosine of a zero map has no gradient
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
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None, None, None]:
        targets, outputs, of_target, of_output = ctx.saved_tensors
        (gradient,) = gradients
        of_target, of_output = of_target * gradient, of_output * gradient
        total = torch.addcmul(
            wide(outputs) * of_output.unsqueeze(3), wide(targets), of_target.unsqueeze(3)
        )
        return None, total.to(outputs.dtype), None, None, None


def _sums(targets: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Dot products of target and output tokens, and the squared norms of both."""
    wide_targets, wide_outputs = wide(targets), wide(outputs)
    return (
        (wide_targets * wide_outputs).sum(dim=-1),
        wide_targets.square().sum(dim=-1),
        wide_outputs.square().sum(dim=-1),
    )


def _distances(dots: Tensor, target_squares: Tensor, output_squares: Tensor) -> Tensor:
    found = 1 - dots / (_norm(target_squares) * _norm(output_squares))
    is_left_out = (target_squares == 0) & (output_squares == 0)
    return found.masked_fill(is_left_out, -torch.inf).flatten(1)


def _norm(squares: Tensor) -> Tensor:
    return squares.sqrt().clamp_min(COSINE_EPS)
