"""The encoder with its two heads, as trained by fine-tuning.

Axis letters: b samples, n patch tokens, d channels of a token, s side of the input in pixels.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bearing_search.config import FinetuneConfig
from bearing_search.models.encoders.encoder import Encoder, EncoderOutput
from bearing_search.models.encoders.tokens import patch_tokens
from bearing_search.models.finetuning.heads import PatchHead, ReconstructionHead
from bearing_search.models.finetuning.schedule import Task


class MultiTaskModel(nn.Module):
    """EN_train with H_RC and H_patch (paper, section 3.2).

    Args:
        encoder: the encoder to fine-tune.
        config: architecture and position of the heads.
    """

    def __init__(self, encoder: Encoder, config: FinetuneConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self._read = {
            Task.RECONSTRUCTION: config.reconstruction_head_blocks,
            Task.PATCH_CLASSIFICATION: config.patch_head_blocks,
        }
        reconstruction = ReconstructionHead(
            encoder.dim,
            encoder.patch_px,
            form=config.reconstruction_head,
            reads_raw=bool(config.reconstruction_head_blocks),
        )
        patch = PatchHead(
            encoder.dim, form=config.patch_head, reads_raw=bool(config.patch_head_blocks)
        )
        self.heads = nn.ModuleDict({"reconstruction": reconstruction, "patch": patch})

    def reconstruct(
        self, images: Float[Tensor, "b 3 s s"], blocks: Sequence[int] = ()
    ) -> tuple[Float[Tensor, "b 3 s s"], EncoderOutput]:
        """H_RC's reconstruction of each image, and the encoder's output for `blocks`."""
        tokens, output = self._tokens(Task.RECONSTRUCTION, images, blocks)
        return self.heads["reconstruction"](tokens), output

    def classify(
        self, images: Float[Tensor, "b 3 s s"], blocks: Sequence[int] = ()
    ) -> tuple[Float[Tensor, "b n 2"], EncoderOutput]:
        """H_patch's logits per patch, and the encoder's output for `blocks`."""
        tokens, output = self._tokens(Task.PATCH_CLASSIFICATION, images, blocks)
        return self.heads["patch"](tokens), output

    def _tokens(
        self, task: Task, images: Tensor, blocks: Sequence[int]
    ) -> tuple[Float[Tensor, "b n d"], EncoderOutput]:
        read = self._read[task]
        output = self.encoder(images, tuple({*blocks, *read}), final=not read)
        if read:
            tokens = torch.stack([output.blocks[block] for block in read]).mean(dim=0)
        else:
            tokens = output.final
        return patch_tokens(tokens, self.encoder), output
