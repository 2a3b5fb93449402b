"""Feature maps of EN_pre, the targets of the perceptual loss.

Axis letters: b batch, n samples, t tokens with prefix, c d channels, h w feature map, s side of the
input in pixels.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bearing_search.models.encoders.encoder import Encoder, EncoderOutput
from bearing_search.models.encoders.tokens import tokens_to_map
from bearing_search.training.features import FeatureReader

Maps = list[Float[Tensor, "b c h w"]]
"""One feature map per layer."""


class FrozenMaps:
    """The pretrained encoder's feature maps at chosen layers.

    Args:
        encoder: EN_pre.
        layers: blocks, counted from 1.
        kept: cached features of the samples that `of_samples` indexes, layer by layer; None:
            computed on each call, as is necessary with augmentation.
        device: device on which maps are computed and returned.
    """

    def __init__(
        self,
        encoder: Encoder,
        layers: Sequence[int],
        *,
        kept: Sequence[Float[Tensor, "n t d"]] | None,
        device: str,
    ) -> None:
        self._encoder = encoder
        self._feature_reader = frozen_reader(encoder, layers, device=device)
        self._kept = kept

    def of_samples(self, batch: Int[np.ndarray, " b"], images: Float[Tensor, "b 3 s s"]) -> Maps:
        """Feature maps of samples; `batch` has their indices."""
        if self._kept is None:
            return self.of(images)
        maps = self._maps([tokens[torch.from_numpy(batch)] for tokens in self._kept])
        return [m.contiguous() for m in maps]  # the layout affects the rounding of sums over a map

    def of(self, images: Float[Tensor, "b 3 s s"]) -> Maps:
        """Feature maps of any images."""
        return self._maps(self._feature_reader.of_input(images))

    def _maps(self, read: Sequence[Float[Tensor, "b t d"]]) -> Maps:
        there = [tokens.to(self._feature_reader.device) for tokens in read]
        return [tokens_to_map(tokens, self._encoder).float() for tokens in there]


def frozen_reader(encoder: Encoder, layers: Sequence[int], *, device: str) -> FeatureReader:
    """A reader of the pretrained encoder's features at `layers`."""
    reads = [(layer,) for layer in layers]
    return FeatureReader(encoder, reads, is_rounded=False, device=device)


def layer_maps(output: EncoderOutput, layers: Sequence[int], encoder: Encoder) -> Maps:
    """Patch tokens of the layers as feature maps, in fp32."""
    return [tokens_to_map(output.blocks[layer], encoder).float() for layer in layers]
