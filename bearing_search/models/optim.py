"""Optimisers of both stages."""

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
    """The decoder's optimiser: AdamW with AMSGrad whose step shrinks while gradients outgrow it.

    Each tensor's step is divided by max(1, rms(gradient / denominator)). Every parameter decays.

    Source: Wortsman et al. 2023, in the form of Dinomaly's official code, to which timm's legacy
    AdamW is equal with these two switches.
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
    """The fine-tuning's optimiser: the encoder's groups (see `encoder_groups`), then both heads.

    The paper does not state an optimiser. All parameters decay alike; those without gradient are
    left out.
    """
    rates = [*encoder_groups(encoder, config), (config.head_lr, list(heads.parameters()))]
    groups: list[dict[str, Any]] = [{"params": found, "lr": rate} for rate, found in rates]
    devices = {parameter.device.type for _, found in rates for parameter in found}
    return torch.optim.AdamW(
        groups, weight_decay=config.weight_decay, fused=devices <= {"cpu", "cuda"}
    )
