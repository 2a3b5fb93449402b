"""Work and memory of the detectors, counted from their settings (`DetectorSpec.counted`). No torch.

Like the encoder's, work is that of matrix products: 2 operations per multiplication and addition.
Weights and memory banks are fp32.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bearing_search.config import (
    DinomalyConfig,
    PadimConfig,
    PatchCoreConfig,
    SubspaceConfig,
    TrialConfig,
    VitadConfig,
)
from bearing_search.models.encoders.size import EncoderSize, transformer_block_flop

_FLOAT_BYTES = 4
_TRAINED = 3
"""Work of a forward and backward pass, in forward passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorWork:
    """What a detector costs besides the encoder that it reads."""

    reads: tuple[int, ...]
    """Places of the encoder that it reads, counted from 1; the encoder is run up to the last."""

    gflop: float
    """Work for the distances of one image, in GFLOP."""

    num_bytes: float
    """Its weights, or its memory of the normal images."""

    fit_gflop: float
    """Work of its whole training, in GFLOP."""

    fit_images: float
    """Images that its training is shown, repeats included. With augmentation all are encoded."""


@runtime_checkable
class CountDetector(Protocol):
    """Signature of the function that `DetectorSpec.counted` names."""

    def __call__(self, config: TrialConfig, encoder: EncoderSize, normals: int) -> DetectorWork:
        """The work of the detector of a trial.

        Args:
            config: the trial.
            encoder: size of its encoder.
            normals: normal images that it is trained on.
        """
        ...


def dinomaly(config: TrialConfig, encoder: EncoderSize, normals: int) -> DetectorWork:
    """A bottleneck of expansion 4, then blocks with linear attention."""
    section, width = config.section_of(DinomalyConfig), encoder.channels[0]
    attention = 4 * encoder.tokens * width * encoder.head_channels
    block = 24 * width**2 * encoder.tokens + attention
    gflop = (16 * width**2 * encoder.tokens + section.decoder_blocks * block) / 1e9
    parameters = (8 + 12 * section.decoder_blocks) * width**2
    return _decoder(config, section.target_blocks, gflop, parameters, normals)


def vitad(config: TrialConfig, encoder: EncoderSize, normals: int) -> DetectorWork:
    """A linear layer, then blocks up to the last that reconstructs, on patch tokens only."""
    section, width = config.section_of(VitadConfig), encoder.channels[0]
    patches, depth = encoder.grids[0] ** 2, max(section.taps)
    flop = 2 * width**2 * patches + depth * transformer_block_flop(patches, width)
    parameters = (1 + 12 * depth) * width**2 + patches * width
    reads = (*section.teacher_blocks, section.neck_block)
    return _decoder(config, reads, flop / 1e9, parameters, normals)


def patchcore(config: TrialConfig, encoder: EncoderSize, normals: int) -> DetectorWork:
    """A search of every patch in the bank, which is a greedy coreset of the normal patches."""
    section = config.section_of(PatchCoreConfig)
    reads = section.blocks if encoder.tokens else section.layers
    channels, patches = _map_shape(encoder, reads)
    total = patches * normals
    bank = max(1, int(total * section.coreset_share))
    projected = min(section.projection_dim, channels)
    projection = 2 * channels * projected if projected < channels else 0
    return DetectorWork(
        reads=reads,
        gflop=2 * patches * bank * channels / 1e9,
        num_bytes=_FLOAT_BYTES * bank * channels,
        fit_gflop=total * (projection + 2 * bank * projected) / 1e9,
        fit_images=normals,
    )


def padim(config: TrialConfig, encoder: EncoderSize, normals: int) -> DetectorWork:
    """A triangular system for every position; a covariance and its factor in training."""
    section = config.section_of(PadimConfig)
    reads = section.blocks if encoder.tokens else section.layers
    channels, positions = _map_shape(encoder, reads)
    dims = min(section.dims, channels)
    return DetectorWork(
        reads=reads,
        gflop=positions * dims**2 / 1e9,
        num_bytes=_FLOAT_BYTES * positions * (dims**2 + dims),
        fit_gflop=positions * (2 * normals * dims**2 + dims**3 / 3) / 1e9,
        fit_images=normals,
    )


def subspace(config: TrialConfig, encoder: EncoderSize, normals: int) -> DetectorWork:
    """Into the subspace and back for every patch; one covariance and its eigenvectors in training.

    How many dimensions the subspace has is known only once it is fitted: all channels are counted.
    """
    section = config.section_of(SubspaceConfig)
    channels, patches = encoder.channels[section.blocks[0] - 1], encoder.grids[0] ** 2
    return DetectorWork(
        reads=section.blocks,
        gflop=4 * patches * channels**2 / 1e9,
        num_bytes=_FLOAT_BYTES * (channels**2 + channels),
        fit_gflop=(2 * patches * normals * channels**2 + 9 * channels**3) / 1e9,
        fit_images=normals,
    )


def _decoder(
    config: TrialConfig, reads: tuple[int, ...], gflop: float, parameters: float, normals: int
) -> DetectorWork:
    shown = config.decoder.iterations * min(config.decoder.batch_size, normals)
    return DetectorWork(
        reads=reads,
        gflop=gflop,
        num_bytes=_FLOAT_BYTES * parameters,
        fit_gflop=shown * _TRAINED * gflop,
        fit_images=shown,
    )


def _map_shape(encoder: EncoderSize, reads: Sequence[int]) -> tuple[int, int]:
    """Channels of all places read, and positions of the finest, which the others are scaled to."""
    return sum(encoder.channels[place - 1] for place in reads), encoder.grids[reads[0] - 1] ** 2
