"""Detectors with a memory of normal patches as networks (see `heads`).

What can be computed once, from the tensors that training keeps, is: so no graph needs `cdist` or a
triangular solver.

Axis letters: b batch, h w rows and columns of the grid, p patches, c channels of a patch, m patches
of a memory bank, q some of them, k dimensions of a subspace.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bearing_search.config import PadimConfig, PatchCoreConfig, SubspaceConfig, TrialConfig
from bearing_search.models.detectors.padim import Padim, stack
from bearing_search.models.detectors.patchcore import PatchCore, nearest_of
from bearing_search.models.detectors.subspace import Subspace
from bearing_search.models.encoders.cnn import Cnn
from bearing_search.models.encoders.encoder import Encoder
from bearing_search.models.encoders.tokens import tokens_to_map
from bearing_search.models.inference.heads import Distances

_CHUNK_FLOATS = 2**25
"""Distances between patches of the bank that are held in memory at once."""


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


class SubspaceHead(_MapHead):
    """SubspaceAD: what the principal subspace leaves of a patch."""

    mean: Tensor
    basis: Tensor

    def __init__(self, encoder: Encoder | Cnn, reads: Sequence[int], memory: Subspace) -> None:
        super().__init__(encoder, reads)
        self._memory = memory
        state = memory.state()
        self.register_buffer("mean", state["mean"])
        self.register_buffer("basis", state["basis"])

    def forward(self, features: Sequence[Float[Tensor, "b ..."]]) -> Distances:
        """The distances of a batch; no image scores."""
        found = self._memory.embed(self.maps(features))
        samples, _, rows, columns = found.shape
        left = found.flatten(2).transpose(1, 2) - self.mean
        if self.basis.shape[1]:  # without variance there is no dimension
            left = left - (left @ self.basis) @ self.basis.T
        return left.square().sum(dim=2).reshape(samples, 1, rows, columns), None


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


def subspace(
    encoder: Encoder | Cnn, config: TrialConfig, tensors: Mapping[str, Tensor]
) -> SubspaceHead:
    """A fitted SubspaceAD (see `BuildHead`)."""
    section = config.section_of(SubspaceConfig)
    memory = Subspace(section)
    memory.load(dict(tensors))
    return SubspaceHead(encoder, section.blocks, memory)


def _neighbours_in(bank: Float[Tensor, "m c"], count: int) -> Int[Tensor, "m q"]:
    """The nearest patches of the bank around each of its patches, itself first."""
    found = []
    for part in torch.split(torch.arange(len(bank)), max(1, _CHUNK_FLOATS // len(bank))):
        gaps = torch.cdist(bank[part], bank, compute_mode="donot_use_mm_for_euclid_dist")
        gaps.scatter_(1, part[:, None], -1.0)  # even before its duplicates
        found.append(gaps.topk(count, largest=False).indices)
    return torch.cat(found)
