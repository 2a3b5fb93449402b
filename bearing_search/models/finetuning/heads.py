"""The two heads that fine-tune the encoder: reconstruction head and patch head.

Axis letters: b samples, n patch tokens, d channels of a token, h w pixels, c colours.
"""

import math

from jaxtyping import Float
from torch import Tensor, nn

from bearing_search.config import Head


class ReconstructionHead(nn.Module):
    """H_RC: patch tokens -> the normalised input image, each patch from its own token.

    The paper gives no architecture; the default is the smallest one, a linear layer, so that the
    tokens themselves must encode the image.

    Args:
        dim: channels of a token.
        patch_px: side of a patch.
        form: whether there is a hidden layer.
        reads_raw: whether the tokens are raw block outputs; if so, a LayerNorm comes first.
    """

    def __init__(
        self, dim: int, patch_px: int, *, form: Head = "linear", reads_raw: bool = False
    ) -> None:
        super().__init__()
        self.patch_px = patch_px
        self.prepare = _before_the_last_layer(dim, form, reads_raw=reads_raw)
        self.project = nn.Linear(dim, 3 * patch_px**2)
        nn.init.trunc_normal_(self.project.weight, std=0.02)
        nn.init.zeros_(self.project.bias)

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b 3 h w"]:
        """Images from a square grid of patch tokens (prefix tokens already dropped)."""
        count, num_patches, _ = tokens.shape
        side = math.isqrt(num_patches)
        assert side**2 == num_patches, f"{num_patches} tokens do not form a square grid"
        pixels = self.project.forward(self.prepare(tokens))
        patches = pixels.reshape(count, side, side, 3, self.patch_px, self.patch_px)
        side_px = side * self.patch_px
        return patches.permute(0, 3, 1, 4, 2, 5).reshape(count, 3, side_px, side_px)


class PatchHead(nn.Module):
    """H_patch: patch token -> logits of normal and anomalous, in this order.

    The paper gives no architecture; the default is a linear layer.

    Args:
        dim: channels of a token.
        form: whether there is a hidden layer.
        reads_raw: whether the tokens are raw block outputs; if so, a LayerNorm comes first.
    """

    def __init__(self, dim: int, *, form: Head = "linear", reads_raw: bool = False) -> None:
        super().__init__()
        self.prepare = _before_the_last_layer(dim, form, reads_raw=reads_raw)
        self.classify = nn.Linear(dim, 2)
        nn.init.trunc_normal_(self.classify.weight, std=0.02)
        nn.init.zeros_(self.classify.bias)

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n 2"]:
        """Logits per patch (prefix tokens already dropped)."""
        return self.classify.forward(self.prepare(tokens))


def _before_the_last_layer(dim: int, form: Head, *, reads_raw: bool) -> nn.Sequential:
    """Layers before the final linear layer: none by default, as the tokens are normalised."""
    norm = [nn.LayerNorm(dim)] if reads_raw else []
    hidden = [nn.Linear(dim, dim), nn.GELU()] if form == "mlp" else []
    return nn.Sequential(*norm, *hidden)
