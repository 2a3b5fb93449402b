"""Size of an encoder, from its name: work of a forward pass, parameters, channels. No torch.

Work is that of the matrix products and convolutions, 2 floating-point operations per
multiplication and addition, as PyTorch's `FlopCounterMode` counts it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from bearing_search.config import EncoderConfig

_VIT = re.compile(r"(?:vit|deit3?)_(tiny|small|medium|base|large|huge)_patch(\d+)(?:_|$)")
_WIDTHS_AND_DEPTHS = {
    "tiny": (192, 12),
    "small": (384, 12),
    "medium": (512, 12),
    "base": (768, 12),
    "large": (1024, 24),
    "huge": (1280, 32),
}
_HEAD_CHANNELS = 64

_CNNS: Mapping[str, tuple[float, tuple[float, ...], tuple[int, ...]]] = {
    "resnet18": (11.18, (1.161, 1.983, 2.805, 3.627), (64, 128, 256, 512)),
    "resnet34": (21.28, (1.623, 3.37, 6.042, 7.326), (64, 128, 256, 512)),
    "resnet50": (23.51, (1.572, 3.627, 6.556, 8.174), (256, 512, 1024, 2048)),
    "resnet101": (42.5, (1.572, 3.627, 13.98, 15.599), (256, 512, 1024, 2048)),
    "wide_resnet50_2": (66.83, (4.192, 9.947, 18.373, 22.792), (256, 512, 1024, 2048)),
    "wide_resnet101_2": (124.84, (4.192, 9.947, 41.083, 45.502), (256, 512, 1024, 2048)),
    "convnext_tiny": (27.82, (1.505, 3.052, 7.396, 8.91), (96, 192, 384, 768)),
    "convnext_small": (49.45, (1.505, 3.052, 15.852, 17.366), (96, 192, 384, 768)),
    "convnext_base": (87.57, (2.623, 5.354, 28.021, 30.707), (128, 256, 512, 1024)),
    "efficientnet_b0": (4.01, (0.152, 0.228, 0.487, 0.729), (24, 40, 112, 320)),
    "efficientnet_b4": (17.55, (0.48, 0.759, 1.84, 2.925), (32, 56, 160, 448)),
    "efficientnet_b5": (28.34, (0.779, 1.241, 2.816, 4.606), (40, 64, 176, 512)),
    "mobilenetv3_large_100": (4.2, (0.086, 0.143, 0.304, 0.428), (24, 40, 112, 960)),
}
"""Name -> millions of parameters, GFLOP up to layers 1 to 4 at 224 px, and their channels; counted
with `FlopCounterMode` (`tests/models/encoders/test_size.py`)."""

_CNN_PX = 224


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSize:
    """An encoder at one input size. Places are blocks of a transformer or layers, from 1."""

    gflop: tuple[float, ...]
    """Work of a forward pass of one image up to each place, in GFLOP."""

    channels: tuple[int, ...]
    """Channels of the features at each place."""

    grids: tuple[int, ...]
    """Rows of the feature map at each place, which is square."""

    tokens: int
    """Tokens of a transformer, with prefix; 0 for a convolutional network."""

    head_channels: int
    """Channels of an attention head; 0 for a convolutional network."""

    parameters: float
    """Parameters, without classifier."""

    def gflop_up_to(self, places: Sequence[int]) -> float:
        """Work of a forward pass of one image that reads these places; none given: the whole."""
        return self.gflop[max(places, default=len(self.gflop)) - 1]


def encoder_size(config: EncoderConfig) -> EncoderSize | None:
    """Size of the encoder; None if the name does not tell it."""
    name = config.name.partition(".")[0]
    if name in _CNNS:
        return _cnn(name, config.input_px)
    found = _VIT.match(name)
    if found is None or config.input_px < int(found[2]):
        return None
    return _vit(name, *_WIDTHS_AND_DEPTHS[found[1]], int(found[2]), config.input_px)


def _vit(name: str, width: int, depth: int, patch_px: int, input_px: int) -> EncoderSize:
    side = input_px // patch_px
    registers = re.search(r"_reg(\d+)", name)
    tokens = side**2 + 1 + (int(registers[1]) if registers else 0)
    embedding = 2 * 3 * patch_px**2 * width * side**2
    block = transformer_block_flop(tokens, width)
    weights = depth * (12 * width**2 + 13 * width)
    return EncoderSize(
        gflop=tuple(flop / 1e9 for flop in accumulate([embedding + block, *[block] * (depth - 1)])),
        channels=(width,) * depth,
        grids=(side,) * depth,
        tokens=tokens,
        head_channels=_HEAD_CHANNELS,
        parameters=weights + width * (3 * patch_px**2 + tokens + 3),
    )


def transformer_block_flop(tokens: int, width: int) -> float:
    """FLOP of a block with softmax attention and an MLP of expansion 4, for one image."""
    return 24.0 * width**2 * tokens + 4.0 * width * tokens**2


def _cnn(name: str, input_px: int) -> EncoderSize:
    millions, gflop, channels = _CNNS[name]
    scale = (input_px / _CNN_PX) ** 2
    return EncoderSize(
        gflop=tuple(each * scale for each in gflop),
        channels=channels,
        grids=tuple(-(-input_px // 2 ** (layer + 1)) for layer in range(1, len(channels) + 1)),
        tokens=0,
        head_channels=0,
        parameters=millions * 1e6,
    )
