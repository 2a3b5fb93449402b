"""A convolutional network from timm that returns feature maps, for PatchCore and PaDiM.

Axis letters: b samples, c channels, h w rows and columns.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bearing_search.config import EncoderConfig
from bearing_search.errors import ConfigError
from bearing_search.models.encoders.encoder import import_timm, take_weights
from bearing_search.models.encoders.weights import Weights, load_strictly

LAYERS = (1, 2, 3, 4)
"""Layer k has a stride of 2**(k + 1) px, regardless of the network's own numbering."""

_MODULES = {"convnext", "efficientnet", "mobilenetv3", "regnet", "resnet", "resnetv2"}


class Cnn(nn.Module):
    """A frozen convolutional network.

    Args:
        net: the model, without classifier.
        name: timm's name, for messages.
        input_px: side of the square input.
        weights_sha256: SHA-256 of the weights file, or ``random-<seed>``.
    """

    def __init__(self, net: Any, *, name: str, input_px: int, weights_sha256: str) -> None:
        super().__init__()
        self.net: Any = net
        self.name = name
        self.input_px = input_px
        self.weights_sha256 = weights_sha256
        strides = [info["reduction"] for info in net.feature_info]
        self._indices = {layer: strides.index(2 ** (layer + 1)) for layer in LAYERS}

    def channels_of(self, layers: Sequence[int]) -> int:
        """Channels of all of these layers together."""
        infos = self.net.feature_info
        return sum(int(infos[self._indices[layer]]["num_chs"]) for layer in layers)

    def forward(
        self, images: Float[Tensor, "b 3 h w"], layers: Sequence[int]
    ) -> list[Float[Tensor, "b _ _ _"]]:
        """Feature maps of `layers`, in ascending order; later layers are not run."""
        maps: list[Tensor] = self.net.forward_intermediates(
            images,
            indices=sorted(self._indices[layer] for layer in layers),
            intermediates_only=True,
            stop_early=True,
        )
        return maps


def is_cnn(name: str) -> bool:
    """Whether this is the name of a convolutional network in timm that is supported here."""
    timm = import_timm()
    base = timm.models.split_model_name_tag(name)[0]
    return bool(timm.models.is_model_in_modules(base, _MODULES))


def load_cnn(config: EncoderConfig, *, seed: int = 0) -> Cnn:
    """The pretrained network in fp32, on the CPU, in eval mode.

    Args:
        config: model, weights and input size.
        seed: seed of `random` weights; the global random state is not changed.

    Raises:
        ConfigError: timm does not have this weights tag.
        WeightsError: the weights are missing, unreachable, or belong to another model.
        ResourceError: torch and torchvision are incompatible builds.
    """
    net = _build(config, seed)
    sha256 = take_weights(config, seed=seed, load=lambda weights: _load(net, weights, config.name))
    return Cnn(net, name=config.name, input_px=config.input_px, weights_sha256=sha256).eval()


def untrained_cnn(config: EncoderConfig) -> Cnn:
    """A network with random weights, into which those of another one are loaded.

    Raises:
        ConfigError, ResourceError: as for `load_cnn`.
    """
    net = _build(config, seed=0)
    return Cnn(net, name=config.name, input_px=config.input_px, weights_sha256="").eval()


def _build(config: EncoderConfig, seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return import_timm().create_model(config.name, pretrained=False, num_classes=0)
        except RuntimeError as error:  # an unknown tag after the dot
            raise ConfigError(f"encoder.name: {error}") from None


def _load(net: Any, weights: Weights, name: str) -> None:
    classifier = net.pretrained_cfg["classifier"]
    # batch norm's training counters, which older official files lack
    counters = {k: v for k, v in net.state_dict().items() if k.endswith("num_batches_tracked")}
    tensors = {k: v for k, v in weights.tensors.items() if not k.startswith(f"{classifier}.")}
    load_strictly(net, counters | tensors, model=name, source=weights.source)
