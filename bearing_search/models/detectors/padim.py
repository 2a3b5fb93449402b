"""PaDiM: Mahalanobis distance of a patch to the Gaussian of normal patches at its position.

Axis letters: b n samples, p positions, c channels, h w rows and columns.

Source: Defard et al. 2021.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from bearing_search.config import PadimConfig

_CHUNK_FLOATS = 2**25
"""Covariance entries decomposed at a time, in fp64."""


class Padim:
    """A mean and a covariance for each position (see `training.detection.memory_bank`).

    Args:
        config: number of channels, regularisation.
        seed: seed for drawing the channels.
    """

    def __init__(self, config: PadimConfig, *, seed: int) -> None:
        self._config, self._seed = config, seed
        self._mean = torch.empty(0, 0)
        self._factor = torch.empty(0, 0, 0)

    def embed(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b c h w"]:
        """Randomly drawn channels of all layers, upsampled (nearest) to the first layer's grid."""
        stacked = stack(maps)
        return stacked[:, self.drawn(stacked.shape[1]).to(stacked.device)]

    def drawn(self, channels: int) -> Int[Tensor, " c"]:
        """Indices of the channels that are used, of as many."""
        generator = torch.Generator().manual_seed(self._seed)
        return torch.randperm(channels, generator=generator)[: self._config.dims].sort().values

    def fit(self, patches: Float[Tensor, "n p c"]) -> dict[str, float]:
        """Fit the Gaussians; returns the mean distance of the samples they were fitted to."""
        self._mean = patches.mean(dim=0)
        positions, channels = self._mean.shape
        self._factor = patches.new_empty(positions, channels, channels)
        step = max(1, _CHUNK_FLOATS // channels**2)
        for start in range(0, positions, step):
            here = slice(start, start + step)
            self._factor[here] = cholesky_factor(patches[:, here], self._config.epsilon)
        return {"normal_distance": self.measure(patches)[0].mean().item()}

    def measure(self, patches: Float[Tensor, "b p c"]) -> tuple[Float[Tensor, "b p"], None]:
        """Mahalanobis distance of every patch; no image scores."""
        offsets = (patches - self._mean).permute(1, 2, 0)
        solved = torch.linalg.solve_triangular(self._factor, offsets, upper=False)
        return solved.norm(dim=1).T, None

    def state(self) -> dict[str, Tensor]:
        """Means and Cholesky factors of the covariances."""
        return {"mean": self._mean, "factor": self._factor}

    def load(self, state: dict[str, Tensor]) -> None:
        """Restore an earlier `state`."""
        self._mean, self._factor = state["mean"], state["factor"]


def stack(maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b c h w"]:
    """All channels of all layers, upsampled (nearest) to the first layer's grid."""
    grid = maps[0].shape[2:]
    return torch.cat([F.interpolate(m.float(), size=grid, mode="nearest") for m in maps], 1)


def cholesky_factor(patches: Float[Tensor, "n p c"], epsilon: float) -> Float[Tensor, "p c c"]:
    """Lower triangular L of each position, with L L' = covariance + epsilon I.

    The covariance divides by n - 1. A single sample has none: L is sqrt(epsilon) I.
    """
    wide = patches.double().transpose(0, 1)
    offsets = wide - wide.mean(dim=1, keepdim=True)
    covariance = offsets.transpose(1, 2) @ offsets / max(1, len(patches) - 1)
    covariance.diagonal(dim1=1, dim2=2).add_(epsilon)
    factor: Tensor = torch.linalg.cholesky(covariance)
    return factor.to(patches.dtype)
