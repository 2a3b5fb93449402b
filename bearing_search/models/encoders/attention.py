"""Softmax attention that uses the fastest implementation for its device.

Axis letters: b samples, n tokens, d channels of a token, a attention heads, e channels of a head.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Query, key and value, each (b a n e) -> attention output (b a n e)."""

MAX_PLAIN_BYTES = 128 * 2**20
"""Up to this size, attention weights are materialised on a CPU in bf16: faster than PyTorch's fused
attention at every length used here (2.9 times at 257 tokens, 1.8 at 1,029, forward and backward;
benchmarks/model.py). The limit is there because training stores them for every block."""


class SelfAttention(nn.Module):
    """Multi-head self-attention with the same parameters and parameter names as timm's.

    Args:
        qkv: projects a token to its query, key and value, in this order.
        proj: projects the concatenated heads back to a token.
        num_heads: number of attention heads.
        mix: attention function; None: softmax attention.
    """

    def __init__(
        self, qkv: nn.Linear, proj: nn.Linear, num_heads: int, *, mix: Attend | None = None
    ) -> None:
        super().__init__()
        self.qkv = qkv
        self.proj = proj
        self.num_heads = num_heads
        self._mix = mix or attend

    def forward(
        self, tokens: Float[Tensor, "b n d"], attn_mask: None = None, is_causal: bool = False
    ) -> Float[Tensor, "b n d"]:
        """Every token attends to every token.

        Args:
            attn_mask: always None; timm's blocks pass it.
            is_causal: always False, likewise.
        """
        assert attn_mask is None, "attention masks are not supported"
        assert not is_causal, "causal attention is not supported"
        count, length, dim = tokens.shape
        qkv = self.qkv(tokens).reshape(count, length, 3, self.num_heads, dim // self.num_heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        attended = self._mix(query, key, value).transpose(1, 2)
        return self.proj.forward(attended.reshape(count, length, dim))


def attend(
    query: Float[Tensor, "b a n e"], key: Float[Tensor, "b a n e"], value: Float[Tensor, "b a n e"]
) -> Float[Tensor, "b a n e"]:
    """softmax(q k' / sqrt(e)) v, in the precision of its arguments."""
    samples, heads, length, _ = query.shape
    is_cpu_bf16 = query.device.type == "cpu" and query.dtype is torch.bfloat16
    if is_cpu_bf16 and samples * heads * length**2 * query.element_size() <= MAX_PLAIN_BYTES:
        return _plain(query, key, value)
    return F.scaled_dot_product_attention(query, key, value)


def _plain(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    # Autocast would compute the softmax, the largest tensor here, in fp32.
    with torch.autocast(query.device.type, enabled=False):
        scaled = query * query.shape[-1] ** -0.5
        weights: Tensor = (scaled @ key.transpose(-2, -1)).softmax(dim=-1)
        return weights @ value


def use_quick_attention(vit: Any) -> None:
    """Replace timm's attention modules in place wherever ours is equivalent.

    Modules with extras (query and key norms, gates, dropout) are left as they are.
    """
    for block in vit.blocks:
        theirs = block.attn
        extras = [getattr(theirs, name, None) for name in ("q_norm", "k_norm", "norm", "gate")]
        is_plain = all(extra is None or isinstance(extra, nn.Identity) for extra in extras)
        drops = [getattr(theirs, name, None) for name in ("attn_drop", "proj_drop")]
        never_drops = all(isinstance(drop, nn.Dropout) and drop.p == 0 for drop in drops)
        has_whole_heads = theirs.qkv.out_features == 3 * theirs.qkv.in_features
        if is_plain and never_drops and has_whole_heads:
            block.attn = SelfAttention(theirs.qkv, theirs.proj, theirs.num_heads)
