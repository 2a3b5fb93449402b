"""Which parameters of the encoder learn, and how fast."""

from collections.abc import Sequence

from torch import nn

from bearing_search.config import FinetuneConfig
from bearing_search.models.encoders.encoder import Encoder

ParameterGroup = tuple[float, Sequence[nn.Parameter]]
"""A peak learning rate, and the parameters that have it."""


def choose_trainable(encoder: Encoder, last_blocks: int | None) -> None:
    """Let only the last blocks and the final norm have gradients, or all parameters.

    Args:
        last_blocks: how many blocks learn; 0: nothing of the encoder. None: everything, the
            embedding of patches and positions too.
    """
    for name, parameter in encoder.named_parameters():
        above = encoder.num_blocks - _depth(name, encoder.num_blocks)
        parameter.requires_grad_(last_blocks is None or above < last_blocks)


def encoder_groups(encoder: Encoder, config: FinetuneConfig) -> list[ParameterGroup]:
    """The encoder's learning parameters by peak learning rate.

    Block i of n has ``encoder_lr * layer_decay ** (n - i)``; the final norm has the rate of the
    last block, the embedding that of a block 0.

    Source: layer-wise decay as in BEiT (Bao et al. 2022) and timm, where the head counts as one
    more layer, so that theirs is smaller by one factor throughout. Here the heads have a rate of
    their own.
    """
    by_rate: dict[float, list[nn.Parameter]] = {}
    for name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            above = encoder.num_blocks - _depth(name, encoder.num_blocks)
            by_rate.setdefault(config.encoder_lr * config.layer_decay**above, []).append(parameter)
    return list(by_rate.items())


def _depth(name: str, num_blocks: int) -> int:
    """The block that a parameter belongs to, counted from 1; 0 before the blocks."""
    match name.split("."):
        case ["vit", "blocks", index, *_]:
            return int(index) + 1
        case ["vit", "norm" | "fc_norm", *_]:
            return num_blocks
    return 0
