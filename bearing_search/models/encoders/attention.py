"""Softmax attention that takes the quickest path of the device it runs on.

Axis letters: b samples, n tokens, d channels of a token, a attention heads, e channels of a head.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Query, key and value, each (b a n e) -> what each query gathers of the values."""

MAX_PLAIN_BYTES = 128 * 2**20
"""Up to this size the attention weights are written out on a CPU in bf16: that beats PyTorch's
fused attention at every length met here (2.9 times at 257 tokens, 1.8 at 1,029, forward and
backward; benchmarks/model.py), but training keeps them for every block."""


class SelfAttention(nn.Module):
    """Multi-head self-attention with the parameters, and the parameter names, of timm's.

    Args:
        qkv: projects a token to its query, key and value, in this order.
        proj: projects the heads' results back to a token.
        num_heads: attention heads.
        mix: how the values are gathered; None: by softmax.
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
            attn_mask: always None; part of the call that timm's blocks make.
            is_causal: always False, likewise.
        """
        assert attn_mask is None, "no mask is supported"
        assert not is_causal, "no causal order is supported"
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
    # Autocast would raise the softmax, the largest tensor here, to fp32.
    with torch.autocast(query.device.type, enabled=False):
        scaled = query * query.shape[-1] ** -0.5
        weights: Tensor = (scaled @ key.transpose(-2, -1)).softmax(dim=-1)
        return weights @ value


def use_quick_attention(vit: Any) -> None:
    """Replace timm's attention modules, in place, where ours computes the same.

    Those with more than a plain projection (normalised or gated queries, masks) stay.
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
