"""Which parameters of the encoder are trained, and their learning rates."""

from collections.abc import Sequence

from torch import nn

from bearing_search.config import FinetuneConfig
from bearing_search.models.encoders.encoder import Encoder

ParameterGroup = tuple[float, Sequence[nn.Parameter]]
"""A peak learning rate and its parameters."""


def choose_trainable(encoder: Encoder, last_blocks: int | None) -> None:
    """Freeze all parameters except those of the last blocks and the final norm.

    Args:
        last_blocks: how many blocks are trained; 0: the whole encoder is frozen. None: nothing is
            frozen, including the patch and position embeddings.
    """
    for name, parameter in encoder.named_parameters():
        above = encoder.num_blocks - _depth(name, encoder.num_blocks)
        parameter.requires_grad_(last_blocks is None or above < last_blocks)


def encoder_groups(encoder: Encoder, config: FinetuneConfig) -> list[ParameterGroup]:
    """The encoder's trainable parameters, grouped by peak learning rate.

    Block i of n has ``encoder_lr * layer_decay ** (n - i)``; the final norm has the rate of the
    last block, the embeddings that of a block 0.

    Source: layer-wise decay as in BEiT (Bao et al. 2022) and timm. There the head counts as one
    more layer, so their rates are smaller by one factor of `layer_decay`; here the heads have a
    separate learning rate.
    """
    by_rate: dict[float, list[nn.Parameter]] = {}
    for name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            above = encoder.num_blocks - _depth(name, encoder.num_blocks)
            by_rate.setdefault(config.encoder_lr * config.layer_decay**above, []).append(parameter)
    return list(by_rate.items())


def _depth(name: str, num_blocks: int) -> int:
    """The block that a parameter belongs to, counted from 1; 0 for the embeddings."""
    match name.split("."):
        case ["vit", "blocks", index, *_]:
            return int(index) + 1
        case ["vit", "norm" | "fc_norm", *_]:
            return num_blocks
    return 0
