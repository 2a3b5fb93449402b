"""Loads the encoder named by a config: a vision transformer or a convolutional network."""

from bearing_search.config import DETECTORS, TrialConfig
from bearing_search.errors import ConfigError
from bearing_search.models.encoders.cnn import Cnn, is_cnn, load_cnn
from bearing_search.models.encoders.encoder import Encoder, load_encoder

Backbone = Encoder | Cnn


def load_backbone(config: TrialConfig) -> Backbone:
    """The pretrained encoder, checked against the rest of the config.

    Raises:
        ConfigError: unknown encoder, wrong input size, a block that the encoder does not have, or
            an encoder that does not support the config.
        WeightsError: the weights are missing, unreachable, or belong to another model.
        ResourceError: torch and torchvision are incompatible builds.
    """
    backbone: Backbone
    if is_cnn(config.encoder.name):
        _refuse_training(config)
        backbone = load_cnn(config.encoder, seed=config.seed)
    else:
        backbone = load_encoder(config.encoder, seed=config.seed)
    check_backbone(backbone, config)
    return backbone


def check_backbone(backbone: Backbone, config: TrialConfig) -> None:
    """Check that the encoder supports the config.

    Raises:
        ConfigError: it does not; names the setting.
    """
    if isinstance(backbone, Cnn):
        _refuse_training(config)
    else:
        for setting, blocks in config.encoder_blocks.items():
            backbone.check_blocks(blocks, setting=setting)


def _refuse_training(config: TrialConfig) -> None:
    name = config.encoder.name
    readers = [detector for detector, spec in DETECTORS.items() if spec.reads_cnn]
    if config.detector not in readers:
        raise ConfigError(
            f"encoder.name: {name} is a convolutional network, detector: {config.detector} reads "
            f"vision transformers only. Set detector: {' or '.join(readers)}, or another encoder."
        )
    if config.finetune.epochs:
        raise ConfigError(
            f"encoder.name: {name} is a convolutional network, which cannot be fine-tuned. Set "
            "finetune.epochs and finetune.reconstruction_only_epochs to 0, or change the encoder."
        )
