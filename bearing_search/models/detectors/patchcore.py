"""PatchCore: distance of a patch to its nearest neighbour in a coreset of normal patches.

Axis letters: b n samples, p patches of a sample, c channels of a patch, m patches of the bank,
q all patches, h w rows and columns.

Source: Roth et al. 2022. The official code also pools the channels down to 1,024, which is left
out here, as in anomalib.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from bearing_search.config import PatchCoreConfig

COPY_SHARE = 1e-6
"""A patch whose squared distance to the bank is at most this share of the largest squared norm
counts as a duplicate: fp32 cannot tell them apart."""

_CHUNK = 2**27
"""Distances held in memory at once."""


class PatchCore:
    """A memory bank of normal patches (see `training.detection.memory_bank`).

    Args:
        config: coreset, image score.
        seed: seed of the projection and of the first patch of the coreset.
        averaged_side: side of the square of patches whose features are averaged; odd.
    """

    def __init__(self, config: PatchCoreConfig, *, seed: int, averaged_side: int) -> None:
        self._config, self._seed, self._side = config, seed, averaged_side
        self._bank = torch.empty(0, 0)

    def embed(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b c h w"]:
        """Neighbourhood means of all layers, upsampled to the first layer's grid and concatenated.

        At the border only existing patches are averaged. The official code pads with zeros, which
        makes all border patches similar, so that defects there are missed.
        """
        side = self._side
        pooled = [
            F.avg_pool2d(m.float(), side, stride=1, padding=side // 2, count_include_pad=False)
            for m in maps
        ]
        grid = pooled[0].shape[2:]
        return torch.cat([F.interpolate(m, size=grid, mode="bilinear") for m in pooled], dim=1)

    def fit(self, patches: Float[Tensor, "n p c"]) -> dict[str, float]:
        """Select the bank; returns its number of patches, and the largest distance to it."""
        every = patches.flatten(0, 1)
        generator = torch.Generator().manual_seed(self._seed)
        projected = project(every, self._config.projection_dim, generator)
        count = max(1, int(len(every) * self._config.coreset_share))
        first = int(torch.randint(len(every), (), generator=generator))
        chosen, radius = coreset(projected, count, first=first)
        self._bank = every[chosen]
        return {"bank_patches": float(len(chosen)), "coreset_radius": radius}

    def measure(
        self, patches: Float[Tensor, "b p c"]
    ) -> tuple[Float[Tensor, "b p"], Float[Tensor, " b"]]:
        """Distance of every patch to the bank, and image scores.

        The image score is the distance of the most anomalous patch, reduced where the neighbours of
        its nearest bank patch are hardly further away (equation 7 of the source).
        """
        flat = patches.flatten(0, 1)
        nearest = nearest_of(flat, self._bank)
        distances = (flat - self._bank[nearest]).norm(dim=1).reshape(patches.shape[:2])
        highest, place = distances.max(dim=1)
        samples = torch.arange(len(patches), device=patches.device)
        neighbour = nearest.reshape(patches.shape[:2])[samples, place]
        return distances, highest * self._weight(patches[samples, place], neighbour)

    def state(self) -> dict[str, Tensor]:
        """The memory bank."""
        return {"bank": self._bank}

    def load(self, state: dict[str, Tensor]) -> None:
        """Restore an earlier `state`."""
        self._bank = state["bank"]

    def _weight(
        self, strangest: Float[Tensor, "b c"], nearest: Int[Tensor, " b"]
    ) -> Float[Tensor, " b"]:
        count = min(self._config.num_neighbours, len(self._bank))
        if count < 2:  # one neighbour would always give a weight of 0
            return torch.ones(len(strangest), device=strangest.device)
        home = self._bank[nearest]
        around = torch.cdist(home, self._bank, compute_mode="donot_use_mm_for_euclid_dist")
        around.scatter_(1, nearest[:, None], -1.0)  # itself first, even before its duplicates
        neighbours = self._bank[around.topk(count, largest=False).indices]
        away: Tensor = torch.linalg.vector_norm(neighbours - strangest[:, None], dim=2)
        return 1 - away.softmax(dim=1)[:, 0]


def project(
    patches: Float[Tensor, "q c"], dim: int, generator: torch.Generator
) -> Float[Tensor, "q d"]:
    """Gaussian random projection that roughly preserves distances (Johnson-Lindenstrauss).

    Patches with at most `dim` channels are returned unchanged.
    """
    channels = patches.shape[1]
    if channels <= dim:
        return patches
    matrix = torch.randn(channels, dim, generator=generator) / dim**0.5
    projected: Tensor = patches @ matrix.to(patches.device)
    return projected


def coreset(
    patches: Float[Tensor, "q c"], count: int, *, first: int
) -> tuple[Int[Tensor, " m"], float]:
    """Greedy k-centre coreset: each next patch is the one furthest from those selected so far.

    Args:
        count: how many to select; fewer if all others are duplicates of selected ones.
        first: index of the patch to start with.

    Returns:
        Indices of the selected patches, and the largest distance of any patch to them.
    """
    centred = patches - patches.mean(dim=0)  # less cancellation in the squares below
    squares = centred.square().sum(dim=1)
    copy = COPY_SHARE * squares.max()
    chosen = torch.tensor([first], device=patches.device)
    gaps = torch.full_like(squares, torch.inf)
    picked = [chosen]
    for _ in range(count):
        here = centred[chosen[0]]
        gaps = torch.minimum(gaps, squares - 2 * (centred @ here) + here.square().sum())
        gaps[chosen] = 0.0
        chosen = gaps.argmax().reshape(1)
        picked.append(chosen)
        if gaps[chosen] <= copy:
            break
    radius = gaps.max().clamp_min(0).sqrt().item()
    return torch.cat(picked[:-1]), radius


def nearest_of(
    flat: Float[Tensor, "q c"], bank: Float[Tensor, "m c"], *, is_chunked: bool = True
) -> Int[Tensor, " q"]:
    """Index of each patch's nearest neighbour in the bank.

    Args:
        flat: the patches.
        bank: of normal patches.
        is_chunked: whether the distances are computed in chunks, for any number of patches; an
            exported graph cannot.
    """
    centre = bank.mean(dim=0)
    centred = bank - centre
    squares = centred.square().sum(dim=1)
    found = [
        torch.addmm(squares, part - centre, centred.T, alpha=-2).argmin(dim=1)
        for part in (torch.split(flat, max(1, _CHUNK // len(bank))) if is_chunked else [flat])
    ]
    return torch.cat(found)
