"""The Dinomaly decoder: what it cannot answer of the encoder's tokens is anomalous.

Axis letters: g groups, b samples, n tokens (prefix tokens included), d channels of a token,
a attention heads, e channels of a head, h w rows and columns of patches.

Source: Guo et al. 2025 (Dinomaly).
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from bearing_search.config import DinomalyConfig
from bearing_search.model.encoder import EncoderOutput

ATTENTION_EPS = 1e-6
NORM_EPS = 1e-8


class DinomalyDecoder(nn.Module):
    """Bottleneck with dropout, then transformer blocks with linear attention.

    Args:
        dim: channels of the encoder's tokens.
        num_heads: attention heads, as many as the encoder's.
        config: depth, groups, dropout.
        generator: of the initial weights; None: the global one.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        config: DinomalyConfig,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.groups = config.groups
        self.bottleneck = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(4 * dim, dim),
            nn.Dropout(config.dropout),
        )
        self.blocks = nn.ModuleList(_Block(dim, num_heads) for _ in range(config.decoder_blocks))
        for linear in _linears(self):
            nn.init.trunc_normal_(linear.weight, std=0.01, a=-0.03, b=0.03, generator=generator)
            nn.init.zeros_(linear.bias)

    def forward(self, targets: Float[Tensor, "g b n d"]) -> Float[Tensor, "g b n d"]:
        """Answer to the encoder's groups, from their mean alone.

        The groups are of one size, so their mean is the mean of all blocks. The last decoder
        blocks answer the first encoder blocks.
        """
        wide = torch.promote_types(targets.dtype, torch.float32)
        # Under autocast the bottleneck ends in bf16; the sum over the blocks is kept in fp32.
        tokens = self.bottleneck(targets.mean(dim=0, dtype=wide)).to(wide)
        outputs = []
        for block in self.blocks:
            tokens = block(tokens)
            outputs.append(tokens)
        return _group_means(outputs[::-1], self.groups)


class _Block(nn.Module):
    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = _LinearAttention(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        attended: Tensor = tokens + self.attn(self.norm1(tokens))
        answered: Tensor = attended + self.mlp(self.norm2(attended))
        return answered


class _LinearAttention(nn.Module):
    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        count, length, dim = tokens.shape
        qkv = self.qkv(tokens).reshape(count, length, 3, self.num_heads, dim // self.num_heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        attended = linear_attention(query, key, value).transpose(1, 2)
        return self.proj.forward(attended.reshape(count, length, dim))


def linear_attention(
    query: Float[Tensor, "b a n e"], key: Float[Tensor, "b a n e"], value: Float[Tensor, "b a n e"]
) -> Float[Tensor, "b a n e"]:
    """q (k'v) / (q . sum k) with q, k > 0 by elu + 1: each result is a mean of the values.

    Computed in fp32 whatever the arguments' precision. Written as elu(x) + 1, the features of
    x < -20 (bf16: x < -8) are exactly 0 and the result is 0 / 0; exp(x) and an epsilon keep it
    finite.
    """
    with torch.autocast(query.device.type, enabled=False):
        wide = torch.promote_types(query.dtype, torch.float32)
        # The heads lie interleaved in memory; in order, the products below are quicker.
        query_features, key_features, values = (
            tensor.to(wide, memory_format=torch.contiguous_format) for tensor in (query, key, value)
        )
        query_features, key_features = _positive(query_features), _positive(key_features)
        weighted = query_features @ (key_features.transpose(-2, -1) @ values)
        total = query_features @ key_features.sum(dim=-2).unsqueeze(-1)
        return (weighted / (total + ATTENTION_EPS)).to(query.dtype)


def _positive(x: Tensor) -> Tensor:
    # elu(x) + 1 without the rounding of small exp(x): exp(x) below 0, x + 1 above.
    # relu has a quicker gradient than clamp, and x - relu(x) is min(x, 0).
    above = x.relu()
    return (x - above).exp() + above


def group_targets(output: EncoderOutput, config: DinomalyConfig) -> Float[Tensor, "g b n d"]:
    """Means of the encoder's target blocks, group by group; no gradient flows back through them."""
    tokens = [output.blocks[block].detach() for block in config.target_blocks]
    return _group_means(tokens, config.groups)


def _group_means(tokens: list[Tensor], groups: int) -> Tensor:
    size = len(tokens) // groups
    starts = range(0, len(tokens), size)
    return torch.stack([torch.stack(tokens[start : start + size]).mean(dim=0) for start in starts])


def _linears(module: nn.Module) -> Iterator[nn.Linear]:
    return (child for child in module.modules() if isinstance(child, nn.Linear))


def patch_distances(
    targets: Float[Tensor, "g b n d"],
    outputs: Float[Tensor, "g b n d"],
    *,
    num_prefix_tokens: int,
    grid: tuple[int, int],
) -> Float[Tensor, "b g h w"]:
    """1 - cosine of each patch in each group: 0 aligned, 2 opposite.

    Args:
        grid: rows and columns of patches.
    """
    distances = 1 - F.cosine_similarity(
        targets[:, :, num_prefix_tokens:].float(), outputs[:, :, num_prefix_tokens:].float(), dim=-1
    )
    return distances.transpose(0, 1).reshape(targets.shape[1], len(targets), *grid)
