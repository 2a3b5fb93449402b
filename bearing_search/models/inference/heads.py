"""Trained detectors as networks on the features of a frozen encoder, written so that they export.

Each is made of the tensors that training keeps (`Detector.state(is_finished=True)`). What can be
computed once, from those tensors alone, is: so no graph needs `cdist` or a triangular solver.

Axis letters: l reads of the encoder, b batch, n tokens with prefix, d channels of a token, k layers
of the detector, h w rows and columns of its grid, p patches, c channels of a patch, m patches of a
memory bank, q some of them.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bearing_search.config import (
    DinomalyConfig,
    PadimConfig,
    PatchCoreConfig,
    TrialConfig,
    VitadConfig,
)
from bearing_search.models.detectors.decoder import Decoder
from bearing_search.models.detectors.dinomaly import DinomalyDecoder
from bearing_search.models.detectors.padim import Padim, stack
from bearing_search.models.detectors.patchcore import PatchCore, nearest_of
from bearing_search.models.detectors.vitad import VitadDecoder
from bearing_search.models.encoders.cnn import Cnn
from bearing_search.models.encoders.encoder import Encoder
from bearing_search.models.encoders.tokens import on_grid, tokens_to_map

Distances = tuple[Float[Tensor, "b k h w"], Float[Tensor, " b"] | None]
"""Distance of every patch, and image scores if the detector has a rule of its own for them."""

_CHUNK_FLOATS = 2**25
"""Distances between patches of the bank that are held in memory at once."""


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


class _MapHead(nn.Module):
    """Reads feature maps, as the detectors with a memory of normal patches do."""

    def __init__(self, encoder: Encoder | Cnn, reads: Sequence[int]) -> None:
        super().__init__()
        self.reads = tuple((one,) for one in reads)
        self._encoder = [None if isinstance(encoder, Cnn) else encoder]  # a list: no submodule

    def maps(self, features: Sequence[Float[Tensor, "b ..."]]) -> list[Float[Tensor, "b _ _ _"]]:
        """The features as maps."""
        vit = self._encoder[0]
        return list(features) if vit is None else [tokens_to_map(one, vit) for one in features]


class PatchCoreHead(_MapHead):
    """PatchCore: the nearest patch of the bank, and the weighted score of the strangest patch."""

    bank: Tensor
    around: Tensor | None

    def __init__(
        self, encoder: Encoder | Cnn, reads: Sequence[int], memory: PatchCore, *, neighbours: int
    ) -> None:
        super().__init__(encoder, reads)
        self._memory = memory
        bank = memory.state()["bank"]
        self.register_buffer("bank", bank)
        count = min(neighbours, len(bank))
        around = _neighbours_in(bank, count) if count > 1 else None
        self.register_buffer("around", around)

    def forward(self, features: Sequence[Float[Tensor, "b ..."]]) -> Distances:
        """The distances of a batch, and its image scores."""
        found = self._memory.embed(self.maps(features))
        samples, channels, rows, columns = found.shape
        flat = found.flatten(2).transpose(1, 2).reshape(-1, channels)
        nearest = nearest_of(flat, self.bank, is_chunked=False)
        gaps = (flat - self.bank[nearest]).norm(dim=1).reshape(samples, rows * columns)
        highest, place = gaps.max(dim=1, keepdim=True)
        strangest = flat.reshape(samples, rows * columns, channels)
        picked = strangest.gather(1, place[..., None].expand(-1, -1, channels))
        home = nearest.reshape(samples, rows * columns).gather(1, place)[:, 0]
        scores = highest[:, 0] * self._weight(picked, home)
        return gaps.reshape(samples, 1, rows, columns), scores

    def _weight(
        self, strangest: Float[Tensor, "b 1 c"], home: Int[Tensor, " b"]
    ) -> Float[Tensor, " b"]:
        """As `PatchCore.measure`, with the neighbours of each patch of the bank looked up."""
        if self.around is None:
            return torch.ones_like(strangest[:, 0, 0])
        away: Tensor = (self.bank[self.around[home]] - strangest).norm(dim=2)
        return 1 - away.softmax(dim=1)[:, 0]


class PadimHead(_MapHead):
    """PaDiM: Mahalanobis distance at each position, by the inverse of its Cholesky factor."""

    drawn: Tensor
    mean: Tensor
    inverse: Tensor

    def __init__(self, encoder: Encoder | Cnn, reads: Sequence[int], memory: Padim) -> None:
        super().__init__(encoder, reads)
        if isinstance(encoder, Cnn):
            channels = encoder.channels_of(reads)
        else:
            channels = encoder.dim * len(reads)
        self.register_buffer("drawn", memory.drawn(channels))
        state = memory.state()
        self.register_buffer("mean", state["mean"])
        factor = state["factor"].double()
        eye = torch.eye(factor.shape[1], dtype=factor.dtype).expand_as(factor)
        inverse = torch.linalg.solve_triangular(factor, eye, upper=False)
        self.register_buffer("inverse", inverse.to(state["factor"].dtype))

    def forward(self, features: Sequence[Float[Tensor, "b ..."]]) -> Distances:
        """The distances of a batch; no image scores."""
        found = stack(self.maps(features))[:, self.drawn]
        samples, _, rows, columns = found.shape
        offsets = found.flatten(2).permute(2, 1, 0) - self.mean[..., None]
        gaps = (self.inverse @ offsets).norm(dim=1).transpose(0, 1)
        return gaps.reshape(samples, 1, rows, columns), None


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


def patchcore(
    encoder: Encoder | Cnn, config: TrialConfig, tensors: Mapping[str, Tensor]
) -> PatchCoreHead:
    """A fitted PatchCore (see `BuildHead`)."""
    section, is_cnn = config.section_of(PatchCoreConfig), isinstance(encoder, Cnn)
    side = section.averaged_side(is_cnn=is_cnn)
    memory = PatchCore(section, seed=config.seed, averaged_side=side)
    memory.load(dict(tensors))
    reads = section.layers if is_cnn else section.blocks
    return PatchCoreHead(encoder, reads, memory, neighbours=section.num_neighbours)


def padim(encoder: Encoder | Cnn, config: TrialConfig, tensors: Mapping[str, Tensor]) -> PadimHead:
    """A fitted PaDiM (see `BuildHead`)."""
    section = config.section_of(PadimConfig)
    memory = Padim(section, seed=config.seed)
    memory.load(dict(tensors))
    return PadimHead(
        encoder, section.layers if isinstance(encoder, Cnn) else section.blocks, memory
    )


def _decoder(encoder: Encoder, decoder: Decoder, tensors: Mapping[str, Tensor]) -> DecoderHead:
    decoder.load_state_dict(dict(tensors))
    return DecoderHead(encoder, decoder)


def _neighbours_in(bank: Float[Tensor, "m c"], count: int) -> Int[Tensor, "m q"]:
    """The nearest patches of the bank around each of its patches, itself first."""
    found = []
    for part in torch.split(torch.arange(len(bank)), max(1, _CHUNK_FLOATS // len(bank))):
        gaps = torch.cdist(bank[part], bank, compute_mode="donot_use_mm_for_euclid_dist")
        gaps.scatter_(1, part[:, None], -1.0)  # even before its duplicates
        found.append(gaps.topk(count, largest=False).indices)
    return torch.cat(found)
