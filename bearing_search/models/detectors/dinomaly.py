"""The Dinomaly decoder: anomalies are the patch tokens that it reconstructs poorly.

Axis letters: g groups, b samples, n tokens (prefix tokens included), p patch tokens, d channels of
a token, a attention heads, e channels of a head.

Source: Guo et al. 2025 (Dinomaly).
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bearing_search.config import DinomalyConfig
from bearing_search.models.detectors.blocks import Block, init_linears
from bearing_search.models.detectors.decoder_losses import (
    dinomaly_loss,
    mining_share_at,
    mining_thresholds,
    point_distances,
)
from bearing_search.models.encoders.tokens import cosine_distances, mean_tokens

ATTENTION_EPS = 1e-6
NORM_EPS = 1e-8

T = TypeVar("T")


class DinomalyDecoder(nn.Module):
    """Bottleneck with dropout, then transformer blocks with linear attention.

    Args:
        dim: channels of the encoder's tokens.
        num_heads: number of attention heads, as in the encoder.
        config: depth, groups, dropout.

    The initial weights depend on PyTorch's global random state (`torch.manual_seed`).
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        config: DinomalyConfig,
    ) -> None:
        super().__init__()
        self.config = config
        self.reads = _groups(config.target_blocks, config.groups)
        self.bottleneck = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(4 * dim, dim),
            nn.Dropout(config.dropout),
        )
        self.blocks = nn.ModuleList(
            Block(dim, num_heads, norm_eps=NORM_EPS, mix=linear_attention)
            for _ in range(config.decoder_blocks)
        )
        init_linears(self, std=0.01, cut=0.03)

    def forward(self, gathered: Float[Tensor, "g b n d"]) -> Float[Tensor, "g b n d"]:
        """Reconstruct the encoder's groups from their mean.

        All groups have the same size, so their mean is the mean of all blocks. The last decoder
        blocks reconstruct the first encoder blocks.
        """
        wide = torch.promote_types(gathered.dtype, torch.float32)
        # Under autocast the bottleneck returns bf16; the residual stream stays in fp32.
        tokens = self.bottleneck(gathered.mean(dim=0, dtype=wide)).to(wide)
        outputs = []
        for block in self.blocks:
            tokens = block(tokens)
            outputs.append(tokens)
        return torch.stack([mean_tokens(g) for g in _groups(outputs[::-1], self.config.groups)])

    def targets(self, gathered: Float[Tensor, "g b n d"]) -> Float[Tensor, "g b n d"]:
        """Features that the reconstructions are compared with: the groups themselves."""
        return gathered

    def loss(
        self,
        targets: Float[Tensor, "g b p d"],
        outputs: Float[Tensor, "g b p d"],
        *,
        iteration: int,
        thresholds: Float[Tensor, "g 1"] | None = None,
    ) -> Float[Tensor, ""]:
        """Loss over the patches, with the hard mining of an iteration (0-based).

        Args:
            thresholds: those of the whole batch, if this is a micro-batch.
        """
        return dinomaly_loss(
            targets,
            outputs,
            mining_share=mining_share_at(iteration, self.config),
            mining_factor=self.config.mining_factor,
            thresholds=thresholds,
        )

    @torch.no_grad()
    def thresholds(
        self, answers: Iterable[tuple[Tensor, Tensor]], *, iteration: int
    ) -> Float[Tensor, "g 1"] | None:
        """Distances below which hard mining treats points as easy, from all micro-batches.

        Args:
            answers: targets and reconstructions of each micro-batch, patches only; computed lazily.
        """
        share = mining_share_at(iteration, self.config)
        if not share:
            return None
        points = [point_distances(targets, outputs) for targets, outputs in answers]
        return mining_thresholds(torch.cat(points, dim=1), share)

    def distances(
        self, targets: Float[Tensor, "g b p d"], outputs: Float[Tensor, "g b p d"]
    ) -> Float[Tensor, "g b p"]:
        """Distance between each patch and its reconstruction: 1 - cosine, in [0, 2]."""
        return cosine_distances(targets, outputs)


def linear_attention(
    query: Float[Tensor, "b a n e"], key: Float[Tensor, "b a n e"], value: Float[Tensor, "b a n e"]
) -> Float[Tensor, "b a n e"]:
    """q (k'v) / (q . sum k), with q and k made positive by elu + 1: a weighted mean of the values.

    Computed in fp32 for arguments of any precision. Computed literally, elu(x) + 1 is exactly 0 for
    x < -20 (bf16: x < -8) and the result is 0 / 0; exp(x) and an epsilon keep it finite for
    arguments up to 1e9. Products of three arguments beyond 1e12 overflow fp32.
    """
    with torch.autocast(query.device.type, enabled=False):
        wide = torch.promote_types(query.dtype, torch.float32)
        # The heads are interleaved in memory; the products below are faster when contiguous.
        query_features, key_features, values = (
            tensor.to(wide, memory_format=torch.contiguous_format) for tensor in (query, key, value)
        )
        query_features, key_features = _positive(query_features), _positive(key_features)
        weighted = query_features @ (key_features.transpose(-2, -1) @ values)
        total = query_features @ key_features.sum(dim=-2).unsqueeze(-1)
        return (weighted / (total + ATTENTION_EPS)).to(query.dtype)


def _positive(x: Tensor) -> Tensor:
    # elu(x) + 1 without rounding small exp(x) to 0: exp(x) below 0, x + 1 above.
    # relu has a faster gradient than clamp, and x - relu(x) is min(x, 0).
    above = x.relu()
    return (x - above).exp() + above


def _groups(members: Sequence[T], groups: int) -> tuple[tuple[T, ...], ...]:
    """Members in order, split into groups of equal size."""
    size = len(members) // groups
    return tuple(tuple(members[start : start + size]) for start in range(0, len(members), size))
