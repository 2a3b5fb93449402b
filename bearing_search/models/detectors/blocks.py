"""The transformer block of both decoders, trained from scratch.

Axis letters: b samples, n tokens, d channels of a token.
"""

from jaxtyping import Float
from torch import Tensor, nn

from bearing_search.models.encoders.attention import Attend, SelfAttention


class Block(nn.Module):
    """Pre-norm attention and an MLP with expansion 4, both residual.

    Args:
        dim: channels of a token.
        num_heads: number of attention heads.
        norm_eps: epsilon of both layer norms.
        mix: attention function; None: softmax attention.
    """

    def __init__(
        self, dim: int, num_heads: int, *, norm_eps: float = 1e-6, mix: Attend | None = None
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=norm_eps)
        self.attn = SelfAttention(nn.Linear(dim, 3 * dim), nn.Linear(dim, dim), num_heads, mix=mix)
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Tokens after the block; the residual stream keeps their precision, even in autocast."""
        attended: Tensor = tokens + self.attn(self.norm1(tokens))
        answered: Tensor = attended + self.mlp(self.norm2(attended))
        return answered


def init_linears(module: nn.Module, *, std: float, cut: float) -> None:
    """Set weights of all linear layers to a truncated normal (within +-`cut`), biases to 0."""
    for child in module.modules():
        if isinstance(child, nn.Linear):
            nn.init.trunc_normal_(child.weight, std=std, a=-cut, b=cut)
            nn.init.zeros_(child.bias)
