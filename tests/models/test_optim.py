import numpy as np
import torch
from torch import nn

from bearing_search.config import DecoderConfig, FinetuneConfig
from bearing_search.models.optim import finetune_optimizer, stable_adamw


def gradients(shape, steps):
    # the later ones are a hundred times as large: the clipping must act
    generator = torch.Generator().manual_seed(3)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64) * (100 if step > 5 else 1)
        for step in range(steps)
    ]


def test_stable_adamw_is_its_written_out_update():
    config = DecoderConfig(lr=0.01, weight_decay=0.1)
    parameter = nn.Parameter(torch.linspace(-1, 1, 6, dtype=torch.float64))
    optimizer = stable_adamw([parameter], config)
    value, mean, square, largest = parameter.detach().numpy().copy(), 0.0, 0.0, 0.0
    was_clipped = False

    for step, gradient in enumerate(gradients(6, 10), start=1):
        parameter.grad = gradient
        optimizer.step()

        g = gradient.numpy()
        mean = 0.9 * mean + 0.1 * g
        square = 0.999 * square + 0.001 * g**2
        largest = np.maximum(largest, square)
        denominator = np.sqrt(largest / (1 - 0.999**step)) + 1e-10
        rms = np.sqrt(np.mean((g / denominator) ** 2))
        was_clipped |= rms > 1.5
        value = value * (1 - 0.01 * 0.1)
        value = value - 0.01 / max(1, rms) * mean / (1 - 0.9**step) / denominator

        assert np.allclose(parameter.detach().numpy(), value, atol=1e-14)
    assert was_clipped


def test_a_gradient_of_zero_moves_nothing_but_the_decay():
    parameter = nn.Parameter(torch.ones(3))
    optimizer = stable_adamw([parameter], DecoderConfig(weight_decay=0.5, lr=0.1))
    parameter.grad = torch.zeros(3)

    optimizer.step()

    assert torch.allclose(parameter, torch.full((3,), 0.95))


def test_parameters_without_a_gradient_stay():
    parameter = nn.Parameter(torch.ones(3))

    stable_adamw([parameter], DecoderConfig()).step()

    assert parameter.tolist() == [1, 1, 1]


def test_an_optimiser_restored_from_its_state_goes_on_alike():
    steps = gradients(6, 8)
    whole, halved = (nn.Parameter(torch.ones(6, dtype=torch.float64)) for _ in range(2))
    optimizer, first = (stable_adamw([p], DecoderConfig()) for p in (whole, halved))
    for gradient in steps:
        whole.grad = gradient
        optimizer.step()
    for gradient in steps[:4]:
        halved.grad = gradient
        first.step()
    second = stable_adamw([halved], DecoderConfig())
    second.load_state_dict(first.state_dict())
    for gradient in steps[4:]:
        halved.grad = gradient
        second.step()

    assert torch.equal(whole, halved)


def test_fine_tuning_has_a_rate_for_the_encoder_and_one_for_the_heads(tiny_encoder):
    heads = nn.Linear(3, 3)

    optimizer = finetune_optimizer(tiny_encoder, heads, FinetuneConfig())

    rates = [
        (group["lr"], len(group["params"]), group["weight_decay"])
        for group in optimizer.param_groups
    ]
    num_encoder = len(list(tiny_encoder.parameters()))
    assert rates == [(1e-5, num_encoder, 0.05), (5e-4, 2, 0.05)]
