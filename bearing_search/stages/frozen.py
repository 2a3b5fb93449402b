"""EN_pre's maps, which the tuned encoder is held near.

Axis letters: b batch, c h w feature map, s side of the input in pixels.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bearing_search.model.encoder import Encoder, EncoderOutput
from bearing_search.model.tokens import tokens_to_map
from bearing_search.stages.precision import autocast

Maps = list[Float[Tensor, "b c h w"]]
"""One map per layer."""

_MAX_CACHE_BYTES = 2 * 2**30


class FrozenMaps:
    """The pretrained encoder's maps at some layers.

    Args:
        encoder: EN_pre.
        layers: blocks, counted from 1.
        num_samples: how many samples `of_samples` is asked for; each is encoded once, if all of
            them have room in memory. 0 keeps none, as where images change from time to time.
        device: where maps are made and returned.
    """

    def __init__(
        self, encoder: Encoder, layers: Sequence[int], *, num_samples: int, device: str
    ) -> None:
        self._encoder = encoder.to(device).eval()
        self._layers, self._device = layers, device
        rows, columns = encoder.grid
        floats = num_samples * len(layers) * encoder.dim * rows * columns
        self._is_cacheable = 0 < 4 * floats <= _MAX_CACHE_BYTES
        self._kept: dict[int, Maps] = {}

    def of_samples(self, batch: Int[np.ndarray, " b"], images: Float[Tensor, "b 3 s s"]) -> Maps:
        """Maps of samples whose images never change; `batch` are their positions."""
        if not self._is_cacheable:
            return self.of(images)
        missing = [i for i, index in enumerate(batch) if int(index) not in self._kept]
        if missing:
            maps = self.of(images[missing])
            for row, position in enumerate(missing):
                self._kept[int(batch[position])] = [m[row].cpu() for m in maps]
        samples = [self._kept[int(index)] for index in batch]
        return [torch.stack(layer).to(self._device) for layer in zip(*samples, strict=True)]

    @torch.no_grad()
    def of(self, images: Float[Tensor, "b 3 s s"]) -> Maps:
        """Maps of any images."""
        with autocast(self._device):
            output = self._encoder(images, self._layers)
        return layer_maps(output, self._layers, self._encoder)


def layer_maps(output: EncoderOutput, layers: Sequence[int], encoder: Encoder) -> Maps:
    """Patch tokens of the layers as maps, in fp32."""
    return [tokens_to_map(output.blocks[layer], encoder).float() for layer in layers]
