"""Optimisers of both training stages."""

from collections.abc import Iterable
from typing import Any

import torch
from timm.optim.adamw import AdamWLegacy
from torch import nn

from bearing_search.config import DecoderConfig, FinetuneConfig
from bearing_search.models.encoders.encoder import Encoder
from bearing_search.models.finetuning.trainable import encoder_groups


def stable_adamw(
    parameters: Iterable[nn.Parameter], config: DecoderConfig
) -> torch.optim.Optimizer:
    """The decoder's optimiser: AMSGrad AdamW with update clipping against gradient spikes.

    Each tensor's step is divided by max(1, rms(gradient / denominator)). Weight decay applies to
    every parameter.

    Source: Wortsman et al. 2023, as in Dinomaly's official code; timm's legacy AdamW with these two
    switches is equivalent.
    """
    optimizer: torch.optim.Optimizer = AdamWLegacy(
        parameters,
        lr=config.lr,
        betas=config.betas,
        eps=config.eps,
        weight_decay=config.weight_decay,
        amsgrad=True,
        clipping_threshold=1.0,
    )
    return optimizer


def finetune_optimizer(
    encoder: Encoder, heads: nn.Module, config: FinetuneConfig
) -> torch.optim.AdamW:
    """AdamW for fine-tuning: the encoder's groups (see `encoder_groups`), then both heads.

    The paper does not state an optimiser. All parameters share one weight decay; frozen encoder
    parameters are left out.
    """
    rates = [*encoder_groups(encoder, config), (config.head_lr, list(heads.parameters()))]
    groups: list[dict[str, Any]] = [{"params": found, "lr": rate} for rate, found in rates]
    devices = {parameter.device.type for _, found in rates for parameter in found}
    return torch.optim.AdamW(
        groups, weight_decay=config.weight_decay, fused=devices <= {"cpu", "cuda"}
    )
