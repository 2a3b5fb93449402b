"""The ViTAD decoder: a student that reconstructs earlier blocks of its teacher from the last one.

Axis letters: l encoder blocks (the scales, then the neck), k scales, b samples, n tokens (prefix
tokens included), p patch tokens, d channels of a token.

Source: Zhang et al. 2023 (ViTAD) and the official code in ADer. That student also has a class
token, a patch embedding, a final norm and a classifier; all are unused and omitted here.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bearing_search.config import VitadConfig
from bearing_search.models.detectors.blocks import Block, init_linears
from bearing_search.models.detectors.decoder_losses import vitad_loss
from bearing_search.models.encoders.tokens import cosine_distances

NORM_EPS = 1e-6


class VitadDecoder(nn.Module):
    """A linear layer, then transformer blocks with softmax attention on patch tokens only.

    Args:
        dim: channels of the encoder's tokens.
        num_heads: number of attention heads, as in the encoder.
        num_patches: patch tokens per image; each gets a learned position embedding.
        config: teacher blocks, neck, depth, mapping.

    The initial weights depend on PyTorch's global random state (`torch.manual_seed`).
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        num_patches: int,
        config: VitadConfig,
    ) -> None:
        super().__init__()
        self.config = config
        self.reads = tuple((block,) for block in (*config.teacher_blocks, config.neck_block))
        self.neck = nn.Linear(dim, dim)
        self.position = nn.Parameter(torch.empty(1, num_patches, dim))
        # blocks after the last tap would never be trained
        depth = max(config.taps)
        self.blocks = nn.ModuleList(Block(dim, num_heads, norm_eps=NORM_EPS) for _ in range(depth))
        init_linears(self.blocks, std=config.init_std, cut=2.0)
        # PyTorch's default initialisation, as in the official code
        bound = dim**-0.5
        nn.init.uniform_(self.neck.weight, -bound, bound)
        nn.init.uniform_(self.neck.bias, -bound, bound)
        nn.init.trunc_normal_(self.position, std=config.init_std)

    def forward(self, gathered: Float[Tensor, "l b n d"]) -> Float[Tensor, "k b p d"]:
        """Reconstruct the teacher's scales from the patch tokens of the neck."""
        neck = gathered[-1][:, -self.position.shape[1] :]
        wide = torch.promote_types(gathered.dtype, torch.float32)
        # Under autocast the neck returns bf16; the residual stream stays in fp32.
        tokens = self.neck(neck.to(self.neck.weight.dtype)).to(wide) + self.position
        found = {}
        for number, block in enumerate(self.blocks, start=1):
            tokens = block(tokens)
            found[number] = tokens
        return torch.stack([found[tap] for tap in self.config.taps])

    def targets(self, gathered: Float[Tensor, "l b n d"]) -> Float[Tensor, "k b n d"]:
        """Features that the reconstructions are compared with: the scales, without the neck."""
        return gathered[:-1]

    def loss(
        self,
        targets: Float[Tensor, "k b p d"],
        outputs: Float[Tensor, "k b p d"],
        *,
        iteration: int,
        thresholds: Float[Tensor, "g 1"] | None = None,
    ) -> Float[Tensor, ""]:
        """Loss over the patches, averaged over samples; does not depend on the iteration."""
        return vitad_loss(targets, outputs)

    def thresholds(
        self, answers: Iterable[tuple[Tensor, Tensor]], *, iteration: int
    ) -> Float[Tensor, "g 1"] | None:
        """None: the loss of a sample does not depend on the rest of the batch."""
        return None

    def distances(
        self, targets: Float[Tensor, "k b p d"], outputs: Float[Tensor, "k b p d"]
    ) -> Float[Tensor, "k b p"]:
        """Distance between each patch and its reconstruction: 1 - cosine, in [0, 2]."""
        return cosine_distances(targets, outputs)
