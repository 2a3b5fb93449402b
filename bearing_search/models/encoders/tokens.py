"""Patch tokens as lists and grids, patch labels and patch distances.

Axis letters: b samples, n tokens (prefix tokens first, then patches row by row), p patches,
d channels of a token, k layers, h w rows and columns.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from bearing_search.models.encoders.encoder import Encoder


def mean_tokens(blocks: Sequence[Float[Tensor, "b n d"]]) -> Float[Tensor, "b n d"]:
    """Mean of the tokens of several blocks."""
    return torch.stack(list(blocks)).mean(dim=0)


def patch_tokens(tokens: Float[Tensor, "b n d"], encoder: Encoder) -> Float[Tensor, "b p d"]:
    """Patch tokens only: class and register tokens are dropped."""
    return tokens[:, encoder.num_prefix_tokens :]


def tokens_to_map(tokens: Float[Tensor, "b n d"], encoder: Encoder) -> Float[Tensor, "b d h w"]:
    """Patch tokens as a feature map; the prefix tokens are dropped."""
    rows, columns = encoder.grid
    patches = patch_tokens(tokens, encoder)
    return patches.transpose(1, 2).reshape(tokens.shape[0], -1, rows, columns)  # `len` is no symbol


def patch_labels(
    masks: Bool[Tensor, "b h w"], patch_px: int, *, coverage: float = 0.0
) -> Bool[Tensor, "b n"]:
    """Whether each patch is anomalous.

    The paper does not say how much of a patch must be anomalous; dents are smaller than a patch, so
    by default a single pixel is enough.

    Args:
        masks: ground truth at the encoder's input size, a multiple of `patch_px`.
        coverage: share of anomalous pixels, in [0, 1], from which a patch is anomalous; below it,
            the patch is normal. 0: any pixel.
    """
    count, height, width = masks.shape
    cells = masks.reshape(count, height // patch_px, patch_px, width // patch_px, patch_px)
    marked = cells.sum(dim=(2, 4)).flatten(1)
    return (marked > 0) & (marked / patch_px**2 >= coverage)


def untouched_patches(roi: Bool[Tensor, "b h w"], patch_px: int) -> Bool[Tensor, "b n"]:
    """Whether each patch lies in the region of interest with all its pixels.

    Args:
        roi: the region of interest at the encoder's input size, a multiple of `patch_px`.
    """
    return ~patch_labels(~roi, patch_px)


def cosine_distances(
    targets: Float[Tensor, "k b p d"], outputs: Float[Tensor, "k b p d"]
) -> Float[Tensor, "k b p"]:
    """1 - cosine similarity per patch and layer, in [0, 2]; 1 where either vector is 0."""
    return 1 - F.cosine_similarity(targets.float(), outputs.float(), dim=-1)


def on_grid(distances: Float[Tensor, "k b p"], grid: tuple[int, int]) -> Float[Tensor, "b k h w"]:
    """Patch values of each layer arranged on the grid, samples first.

    Args:
        grid: rows and columns of patches.
    """
    layers, samples, _ = distances.shape
    return distances.transpose(0, 1).reshape(samples, layers, *grid)
