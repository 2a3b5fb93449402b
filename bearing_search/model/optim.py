"""Optimisers and learning-rate curves of both stages."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from bearing_search.config import DinomalyConfig, FinetuneConfig


class StableAdamW(torch.optim.Optimizer):
    """AdamW with AMSGrad whose step is shortened while gradients outgrow their past.

    Each tensor's step is divided by max(1, rms(gradient / denominator)). Every parameter decays.

    Args:
        parameters: what to train.
        config: learning rate, betas, epsilon, weight decay.

    Source: Wortsman et al. 2023, in the form of Dinomaly's official code (amsgrad on, decay
    applied before the step and not shortened with it).
    """

    def __init__(self, parameters: Iterable[nn.Parameter], config: DinomalyConfig) -> None:
        defaults: dict[str, Any] = {
            "lr": config.lr,
            "betas": config.betas,
            "eps": config.eps,
            "weight_decay": config.weight_decay,
        }
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; `closure` is not supported."""
        assert closure is None, "a closure is not supported"
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            for moment in ("mean", "square", "max_square"):
                state[moment] = torch.zeros_like(parameter)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        state["mean"].lerp_(gradient, 1 - beta1)
        state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        torch.maximum(state["max_square"], state["square"], out=state["max_square"])
        correction = math.sqrt(1 - beta2 ** state["step"])
        denominator = state["max_square"].sqrt().div_(correction).add_(group["eps"])
        # Stays on the device: reading the value would make a GPU wait for every tensor.
        rms = (gradient / denominator).square_().mean().sqrt_()
        step_size = group["lr"] / (1 - beta1 ** state["step"]) / rms.clamp_(min=1.0)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.sub_(state["mean"].div(denominator).mul_(step_size))


def stable_adamw(parameters: Iterable[nn.Parameter], config: DinomalyConfig) -> StableAdamW:
    """The decoder's optimiser."""
    return StableAdamW(parameters, config)


def finetune_optimizer(
    encoder: nn.Module, heads: nn.Module, config: FinetuneConfig
) -> torch.optim.AdamW:
    """The fine-tuning's optimiser: one group for the encoder, one for both heads, in this order.

    The paper does not state an optimiser. All parameters decay alike.
    """
    groups: list[dict[str, Any]] = [
        {"params": list(encoder.parameters()), "lr": config.encoder_lr},
        {"params": list(heads.parameters()), "lr": config.head_lr},
    ]
    devices = {parameter.device.type for group in groups for parameter in group["params"]}
    return torch.optim.AdamW(
        groups, weight_decay=config.weight_decay, fused=devices <= {"cpu", "cuda"}
    )


def finetune_lr_factor(iteration: int, *, total: int, warmup_share: float) -> float:
    """What both learning rates are multiplied by: up to 1 over the warm-up, then a cosine to 0.

    Args:
        iteration: 0-based. The rise ends with 1 at the last iteration of the warm-up, so that
            iteration 0 already learns.
        total: iterations of the whole fine-tuning.
        warmup_share: share of `total` spent rising.
    """
    warmup = max(1, round(total * warmup_share))
    if iteration < warmup:
        return (iteration + 1) / warmup
    return warm_cosine(iteration, total=total, warmup=warmup, peak=1.0, final=0.0)


def warm_cosine(iteration: int, *, total: int, warmup: int, peak: float, final: float) -> float:
    """Learning rate of one iteration: linear from 0 to `peak`, then a cosine down to `final`.

    Args:
        iteration: 0-based; 0 gives 0 (if there is a warm-up), `warmup` gives `peak`, `total` and
            everything after it `final`.
        total: iterations of the whole training.
        warmup: iterations of the rise; where it is longer than the training, the peak is
            never reached.
    """
    if iteration < warmup:
        return peak * iteration / warmup
    if iteration >= total:
        return final
    progress = (iteration - warmup) / (total - warmup)
    return final + (peak - final) * (1 + math.cos(math.pi * progress)) / 2
