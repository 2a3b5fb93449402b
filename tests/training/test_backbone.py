from dataclasses import replace

import pytest

from bearing_search.config import DETECTORS, EncoderConfig, FinetuneConfig, TrialConfig, VitadConfig
from bearing_search.errors import ConfigError
from bearing_search.models.encoders.cnn import Cnn
from bearing_search.training.backbone import check_backbone, load_backbone

CNN = EncoderConfig(name="test_resnet", weights="random", input_px=64)
SIX_BLOCKS = EncoderConfig(name="test_vit", weights="random", input_px=64)
FROZEN = FinetuneConfig(epochs=0, reconstruction_only_epochs=0)


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        ("dinomaly", r"dinomaly\.target_blocks names block 7; test_vit has blocks 1 to 6"),
        ("vitad", r"vitad\.teacher_blocks names block 9; test_vit has blocks 1 to 6"),
        ("patchcore", r"patchcore\.blocks names block 9; test_vit has blocks 1 to 6"),
        ("padim", r"padim\.blocks names block 9; test_vit has blocks 1 to 6"),
    ],
)
def test_the_papers_blocks_of_a_smaller_transformer_are_refused(detector, message):
    config = TrialConfig(encoder=SIX_BLOCKS, finetune=FROZEN, detector=detector)
    with pytest.raises(ConfigError, match=message):
        load_backbone(config)


def test_the_neck_too_must_exist(tiny_config):
    small = replace(tiny_config.section_of(VitadConfig), teacher_blocks=(1, 2), neck_block=12)
    config = replace(
        tiny_config, encoder=SIX_BLOCKS, finetune=FROZEN, detector="vitad"
    ).with_section(small)
    with pytest.raises(ConfigError, match=r"vitad\.neck_block names block 12"):
        load_backbone(config)
    assert load_backbone(config.with_section(replace(small, neck_block=6))).num_blocks == 6


def test_ssim_layers_are_looked_at_only_where_they_are_used(tiny_config):
    twelfth = replace(tiny_config.finetune, ssim_layers=(11, 12))
    config = replace(tiny_config, encoder=SIX_BLOCKS, finetune=twelfth)
    with pytest.raises(ConfigError, match=r"finetune\.ssim_layers names block 11"):
        load_backbone(config)
    load_backbone(replace(config, finetune=FROZEN))


@pytest.mark.parametrize("detector", ["patchcore", "padim"])
def test_a_convolutional_network_needs_no_blocks(detector):
    config = TrialConfig(encoder=CNN, finetune=FROZEN, detector=detector)
    assert isinstance(load_backbone(config), Cnn)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "no_such_model"])
def test_other_models_are_refused(tiny_config, name):
    encoder = replace(tiny_config.encoder, name=name)
    with pytest.raises(ConfigError, match=r"encoder\.name"):
        load_backbone(replace(tiny_config, encoder=encoder))


@pytest.mark.parametrize("detector", ["dinomaly", "vitad"])
def test_a_decoder_on_a_convolutional_network_is_refused(tiny_config, detector):
    config = replace(tiny_config, encoder=CNN, finetune=FROZEN, detector=detector)
    with pytest.raises(ConfigError, match=f"test_resnet is a conv.*detector: {detector} reads"):
        load_backbone(config)


def test_fine_tuning_of_a_convolutional_network_is_refused(tiny_config):
    config = replace(tiny_config, encoder=CNN, detector="padim")
    with pytest.raises(ConfigError, match=r"cannot be fine-tuned. Set finetune\.epochs"):
        load_backbone(config)
    with pytest.raises(ConfigError, match="cannot be fine-tuned"):
        check_backbone(load_backbone(replace(config, finetune=FROZEN)), config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"detector": "vitad", "vitad": {"neck_block": 13}}, "vitad.neck_block names block 13"),
        ({"detector": "patchcore", "patchcore": {"blocks": (13,)}}, "patchcore.blocks names"),
        ({"detector": "padim", "padim": {"blocks": (1, 99)}}, "padim.blocks names block 99"),
    ],
)
def test_blocks_that_the_encoder_lacks_are_refused(tiny_config, changes, message):
    section = changes["detector"]
    changed = replace(tiny_config.section_of(DETECTORS[section].config), **changes[section])
    config = tiny_config.with_section(changed)
    with pytest.raises(ConfigError, match=message):
        load_backbone(replace(config, detector=section))
    # a section that is not in use may say what it likes
    load_backbone(config)
