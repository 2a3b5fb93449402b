"""One network from the bytes of prepared images to patch distances, normalisation included.

Axis letters: b batch, s side of the input in pixels, k layers, h w rows and columns of the grid.
"""

from collections.abc import Mapping
from importlib import import_module

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from bearing_search.config import DETECTORS, TrialConfig
from bearing_search.errors import ConfigError
from bearing_search.models.encoders.cnn import Cnn, is_cnn, untrained_cnn
from bearing_search.models.encoders.encoder import Encoder, untrained_encoder
from bearing_search.models.encoders.tokens import mean_tokens
from bearing_search.models.inference.heads import BuildHead, Distances, Head

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_ENCODER, _DETECTOR = "encoder.", "detector."
"""Prefixes of the names of tensors in a weights file."""


class DetectorNetwork(nn.Module):
    """A trained encoder and detector, in fp32 and for use only.

    Args:
        encoder: blocks behind the last one that is read are dropped.
        head: the detector.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Encoder | Cnn, head: Head) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head
        self._wanted = sorted({block for read in head.reads for block in read})
        if isinstance(encoder, Encoder):
            encoder.vit.blocks = encoder.vit.blocks[: self._wanted[-1]]
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD), persistent=False)
        self.eval().requires_grad_(False)

    @property
    def input_px(self) -> int:
        """Side of the input."""
        return self.encoder.input_px

    def forward(self, pixels: UInt8[Tensor, "b s s 3"]) -> Distances:
        """Distances of a batch of prepared images."""
        images = ((pixels.float() / 255 - self.mean) / self.std).permute(0, 3, 1, 2).contiguous()
        output = self.encoder(images, self._wanted)
        if isinstance(self.encoder, Cnn):
            return self.head([output[self._wanted.index(layer)] for (layer,) in self.head.reads])
        return self.head(
            [mean_tokens([output.blocks[b] for b in read]) for read in self.head.reads]
        )


def is_exportable(detector: str) -> bool:
    """Whether the table says how to build this detector as a network."""
    return bool(DETECTORS[detector].network)


def make_network(
    encoder: Encoder | Cnn, config: TrialConfig, tensors: Mapping[str, Tensor]
) -> DetectorNetwork:
    """The network of a trained encoder and detector.

    Args:
        encoder: as trained; belongs to the network from now on.
        config: of the trial.
        tensors: what training keeps of the detector.

    Raises:
        ConfigError: the detector's entry in the table has no `network`.
    """
    spec = DETECTORS[config.detector]
    if not spec.network:
        raise ConfigError(
            f"detector {config.detector} cannot be exported: its entry in DETECTORS names no "
            "`network`, a function that builds it for use (docs/method.md)"
        )
    module, _, name = spec.network.partition(":")
    build: BuildHead = getattr(import_module(module), name)
    return DetectorNetwork(encoder, build(encoder, config, tensors))


def stored_tensors(encoder: Encoder | Cnn, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All tensors of a trained encoder and detector by name, for a safetensors file."""
    found = {f"{_ENCODER}{name}": tensor for name, tensor in encoder.state_dict().items()}
    found |= {f"{_DETECTOR}{name}": tensor for name, tensor in tensors.items()}
    # a copy of each: tensors that share memory cannot be stored
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in found.items()}


def network_from(config: TrialConfig, stored: Mapping[str, Tensor]) -> DetectorNetwork:
    """The network of what `stored_tensors` gave.

    Raises:
        ConfigError: as for `make_network`, or an unknown encoder.
        RuntimeError: the tensors are those of another network.
    """
    make = untrained_cnn if is_cnn(config.encoder.name) else untrained_encoder
    encoder = make(config.encoder)
    encoder.load_state_dict(_inside(stored, _ENCODER))
    return make_network(encoder, config, _inside(stored, _DETECTOR))


def _inside(stored: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in stored.items() if k.startswith(prefix)}
