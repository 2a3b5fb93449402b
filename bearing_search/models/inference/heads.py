"""Trained detectors as networks on the features of a frozen encoder, written so that they export.

Each is made of the tensors that training keeps (`Detector.state(is_finished=True)`). Those of
detectors with a memory of normal patches are in `memory_heads`.

Axis letters: b batch, n tokens with prefix, d channels of a token, k layers of the detector, h w
rows and columns of its grid.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bearing_search.config import DinomalyConfig, TrialConfig, VitadConfig
from bearing_search.models.detectors.decoder import Decoder
from bearing_search.models.detectors.dinomaly import DinomalyDecoder
from bearing_search.models.detectors.vitad import VitadDecoder
from bearing_search.models.encoders.cnn import Cnn
from bearing_search.models.encoders.encoder import Encoder
from bearing_search.models.encoders.tokens import on_grid

Distances = tuple[Float[Tensor, "b k h w"], Float[Tensor, " b"] | None]
"""Distance of every patch, and image scores if the detector has a rule of its own for them."""


@runtime_checkable
class Head(Protocol):
    """A `torch.nn.Module` that turns features of an encoder into distances."""

    reads: tuple[tuple[int, ...], ...]
    """Groups of blocks whose mean tokens are read, or one layer of a convolutional network each."""

    def __call__(self, features: Sequence[Float[Tensor, "b ..."]]) -> Distances:
        """The distances of a batch."""
        ...


@runtime_checkable
class BuildHead(Protocol):
    """Signature of the function that `DetectorSpec.network` names."""

    def __call__(
        self, encoder: Encoder | Cnn, config: TrialConfig, tensors: Mapping[str, Tensor]
    ) -> Head:
        """A trained detector.

        Args:
            encoder: that it was trained on.
            config: of the trial.
            tensors: what training keeps of the detector, in one flat mapping.
        """
        ...


class DecoderHead(nn.Module):
    """Dinomaly or ViTAD: how poorly each patch is reconstructed."""

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder
        self.reads = decoder.reads
        self._grid = encoder.grid

    def forward(self, features: Sequence[Float[Tensor, "b n d"]]) -> Distances:
        """The distances of a batch; no image scores."""
        gathered = torch.stack(list(features))
        patches = self._grid[0] * self._grid[1]
        outputs = self.decoder(gathered)[:, :, -patches:]
        targets = self.decoder.targets(gathered)[:, :, -patches:]
        return on_grid(self.decoder.distances(targets, outputs), self._grid), None


def dinomaly(
    encoder: Encoder | Cnn, config: TrialConfig, tensors: Mapping[str, Tensor]
) -> DecoderHead:
    """A trained Dinomaly (see `BuildHead`)."""
    assert isinstance(encoder, Encoder)  # `check_backbone` refused others
    section = config.section_of(DinomalyConfig)
    return _decoder(encoder, DinomalyDecoder(encoder.dim, encoder.num_heads, section), tensors)


def vitad(
    encoder: Encoder | Cnn, config: TrialConfig, tensors: Mapping[str, Tensor]
) -> DecoderHead:
    """A trained ViTAD (see `BuildHead`)."""
    assert isinstance(encoder, Encoder)
    rows, columns = encoder.grid
    section = config.section_of(VitadConfig)
    decoder = VitadDecoder(encoder.dim, encoder.num_heads, rows * columns, section)
    return _decoder(encoder, decoder, tensors)


def _decoder(encoder: Encoder, decoder: Decoder, tensors: Mapping[str, Tensor]) -> DecoderHead:
    decoder.load_state_dict(dict(tensors))
    return DecoderHead(encoder, decoder)
