"""SubspaceAD: what the principal subspace of normal patches leaves of a patch.

Axis letters: b n samples, p positions, c channels, k dimensions of the subspace, h w rows and
columns.

Source: Lendering et al. 2026 (arXiv 2602.23013), without its rotated copies of a few samples.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from bearing_search.config import SubspaceConfig


class Subspace:
    """One mean and one basis for all positions (see `training.detection.memory_bank`).

    Args:
        config: the share of variance to keep.
    """

    def __init__(self, config: SubspaceConfig) -> None:
        self._config = config
        self._mean = torch.empty(0)
        self._basis = torch.empty(0, 0)

    def embed(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b c h w"]:
        """The mean of all blocks."""
        return torch.stack([one.float() for one in maps]).mean(dim=0)

    def fit(self, patches: Float[Tensor, "n p c"]) -> dict[str, float]:
        """Fit mean and basis; returns the number of dimensions and the normal patches' distance."""
        tokens = patches.flatten(0, 1)
        mean = tokens.mean(dim=0, dtype=torch.float64)
        self._mean = mean.to(tokens.dtype)
        self._basis = principal_basis(tokens, self._config.explained_variance)
        return {
            "subspace_dims": float(self._basis.shape[1]),
            "normal_distance": self.measure(patches)[0].mean().item(),
        }

    def measure(self, patches: Float[Tensor, "b p c"]) -> tuple[Float[Tensor, "b p"], None]:
        """Squared length of what every patch has outside the subspace; no image scores."""
        offsets = patches - self._mean
        residuals = offsets - (offsets @ self._basis) @ self._basis.T
        return residuals.square().sum(dim=2), None

    def state(self) -> dict[str, Tensor]:
        """Mean and basis."""
        return {"mean": self._mean, "basis": self._basis}

    def load(self, state: dict[str, Tensor]) -> None:
        """Restore an earlier `state`."""
        self._mean, self._basis = state["mean"], state["basis"]


def principal_basis(tokens: Float[Tensor, "n c"], explained: float) -> Float[Tensor, "c k"]:
    """The fewest principal directions that hold a share of the variance, largest first.

    Without any variance there are none: k is 0.

    Args:
        tokens: at least one.
        explained: the share, above 0 and at most 1.
    """
    wide = tokens.double()
    offsets = wide - wide.mean(dim=0)
    variances, directions = torch.linalg.eigh(offsets.T @ offsets)  # ascending
    held = variances.clamp(min=0).flip(0).cumsum(0)
    wanted = explained * held[-1]
    num_dims = int((held < wanted).sum()) + 1 if held[-1] > 0 else 0
    basis: Tensor = directions.flip(1)[:, :num_dims].to(tokens.dtype)
    return basis
