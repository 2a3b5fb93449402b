"""The ViTAD decoder: a student that rebuilds earlier blocks of its teacher from the last one.

Axis letters: l encoder blocks that are read (the scales, then the neck), k scales, b samples,
n tokens (prefix tokens included), p patch tokens, d channels of a token.

Source: Zhang et al. 2023 (ViTAD) and its official code in ADer. That code's student also holds a
class token, a patch embedding, a final norm and a classifier, which nothing uses: not made here.
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
    """One linear layer, then transformer blocks with softmax attention on patch tokens alone.

    Args:
        dim: channels of the encoder's tokens.
        num_heads: attention heads, as many as the encoder's.
        num_patches: patch tokens of an image; each has a learned position of its own.
        config: teacher blocks, neck, depth, mapping.

    Its initial weights follow PyTorch's global random state (`torch.manual_seed`).
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
        # blocks behind the last tap would never learn
        depth = max(config.taps)
        self.blocks = nn.ModuleList(Block(dim, num_heads, norm_eps=NORM_EPS) for _ in range(depth))
        init_linears(self.blocks, std=config.init_std, cut=2.0)
        # PyTorch's own rule, as in the official code
        bound = dim**-0.5
        nn.init.uniform_(self.neck.weight, -bound, bound)
        nn.init.uniform_(self.neck.bias, -bound, bound)
        nn.init.trunc_normal_(self.position, std=config.init_std)

    def forward(self, gathered: Float[Tensor, "l b n d"]) -> Float[Tensor, "k b p d"]:
        """Answer to the teacher's scales, from the patch tokens of the neck alone."""
        neck = gathered[-1][:, -self.position.shape[1] :]
        wide = torch.promote_types(gathered.dtype, torch.float32)
        # Under autocast the neck ends in bf16; the sum over the blocks is kept in fp32.
        tokens = self.neck(neck.to(self.neck.weight.dtype)).to(wide) + self.position
        found = {}
        for number, block in enumerate(self.blocks, start=1):
            tokens = block(tokens)
            found[number] = tokens
        return torch.stack([found[tap] for tap in self.config.taps])

    def targets(self, gathered: Float[Tensor, "l b n d"]) -> Float[Tensor, "k b n d"]:
        """What the answers are compared with: the scales, without the neck."""
        return gathered[:-1]

    def loss(
        self,
        targets: Float[Tensor, "k b p d"],
        outputs: Float[Tensor, "k b p d"],
        *,
        iteration: int,
        thresholds: Float[Tensor, "g 1"] | None = None,
    ) -> Float[Tensor, ""]:
        """Loss over the patches; the same in every iteration, a mean over samples."""
        return vitad_loss(targets, outputs)

    def thresholds(
        self, answers: Iterable[tuple[Tensor, Tensor]], *, iteration: int
    ) -> Float[Tensor, "g 1"] | None:
        """None: no point depends on the others of its batch."""
        return None

    def distances(
        self, targets: Float[Tensor, "k b p d"], outputs: Float[Tensor, "k b p d"]
    ) -> Float[Tensor, "k b p"]:
        """How far each patch's answer is from its target: 1 - cosine, in [0, 2]."""
        return cosine_distances(targets, outputs)
