import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.config import (
    DETECTORS,
    FinetuneConfig,
    TrialConfig,
    config_paths,
    is_layer_set,
    parse,
    to_plain,
)
from bearing_search.errors import ConfigError


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (
            {"finetune": {"alternation_perod": 3}},
            "finetune.alternation_perod: no such setting; "
            "did you mean finetune.alternation_period?",
        ),
        (
            {"alternation_period": 3},
            "alternation_period: no such setting; did you mean finetune.alternation_period?",
        ),
        (
            {"finetune": {"alternation_period": 0}},
            "finetune: alternation_period is 0; it must be at least 1",
        ),
        (
            {"finetune": {"epochs": 10}},
            "finetune: reconstruction_only_epochs is 20, more than epochs (10)",
        ),
        (
            {"encoder": {"weights": "web"}},
            "encoder: weights is 'web'; known are hub, hub@REVISION, wheel",
        ),
        ({"seed": "x"}, "seed: Input should be a valid integer"),
        (
            {"finetune": {"patch_head_blocks": [3, 3]}},
            "finetune: patch_head_blocks is [3, 3]; each block once",
        ),
        ({"finetune": {"layer_decay": 0}}, "finetune: layer_decay is 0.0; it must be in (0, 1]"),
        (
            {"finetune": {"trainable_blocks": -1}},
            "finetune: trainable_blocks is -1; it must be at least 0, or none",
        ),
        ({"split": {"folds": 1}}, "split: folds is 1; it must be in [2, 100], or none"),
    ],
)
def test_a_mistake_is_explained_by_its_path(raw, says):
    with pytest.raises(ConfigError) as caught:
        parse(TrialConfig, raw)
    assert str(caught.value).startswith(says)


def test_yaml_numbers_without_a_dot_are_numbers():
    assert parse(TrialConfig, {"finetune": {"encoder_lr": "1e-4"}}).finetune.encoder_lr == 1e-4


@given(st.integers(1, 50), st.sets(st.integers(1, 12), min_size=1), st.floats(1e-6, 1e-2))
def test_a_config_survives_the_way_to_text_and_back(period, layers, rate):
    finetune = {"alternation_period": period, "ssim_layers": sorted(layers), "encoder_lr": rate}
    config = parse(TrialConfig, {"finetune": finetune})
    again = parse(TrialConfig, to_plain(config))
    assert again == config
    assert again.digest == config.digest


def test_every_value_moves_the_digest():
    config = TrialConfig()
    assert config.digest == TrialConfig().digest
    assert dataclasses.replace(config, seed=1).digest != config.digest


def test_defaults_are_the_papers_numbers():
    config = TrialConfig()
    assert config.finetune.reconstruction_only_epochs == 20
    assert config.finetune.alternation_period == 5
    assert config.finetune.ssim_layers == (11, 12)
    assert config.augment.rotation_deg == 15
    decoder = config.decoder
    assert (decoder.iterations, decoder.batch_size, decoder.lr_warmup_iters) == (1750, 16, 100)
    assert (decoder.lr, decoder.final_lr, decoder.eps) == (2e-3, 2e-4, 1e-10)
    assert config.encoder.input_px == 448


def test_blocks_are_read_only_where_the_config_uses_them():
    config = TrialConfig()
    assert config.encoder_blocks == {
        "finetune.ssim_layers": (11, 12),
        "dinomaly.target_blocks": (3, 4, 5, 6, 7, 8, 9, 10),
    }
    placed = FinetuneConfig(trainable_blocks=13, patch_head_blocks=(5,))
    assert dataclasses.replace(config, finetune=placed).encoder_blocks == {
        **config.encoder_blocks,
        "finetune.patch_head_blocks": (5,),
        "finetune.trainable_blocks": (13,),  # an encoder of 12 is refused
    }
    frozen = FinetuneConfig(epochs=0, reconstruction_only_epochs=0)
    assert dataclasses.replace(config, detector="vitad", finetune=frozen).encoder_blocks == {
        "vitad.teacher_blocks": (3, 6, 9),
        "vitad.neck_block": (12,),
    }


def test_only_sets_of_blocks_are_layer_sets():
    found = [path for path in config_paths(TrialConfig) if is_layer_set(path)]
    assert [path for path in found if path.split(".")[0] not in DETECTORS] == [
        "finetune.ssim_layers",
        "finetune.patch_head_blocks",
        "finetune.reconstruction_head_blocks",
    ]
    assert {
        *("dinomaly.target_blocks", "vitad.teacher_blocks"),
        *("patchcore.layers", "patchcore.blocks", "padim.layers", "padim.blocks"),
    } <= set(found)
    assert not {"vitad.neck_block", "dinomaly.groups"} & set(found)


def test_trials_of_one_setting_differ_in_their_seed_only():
    one, other = TrialConfig(seed=1), TrialConfig(seed=2)

    assert one.setting == other.setting
    assert one.digest != other.digest
    assert TrialConfig(parts=("LC",)).setting != one.setting


@pytest.mark.parametrize(
    ("preprocess", "says"),
    [
        ({"levels": [0, 1, 2, 3]}, "one to three of level numbers"),
        ({"levels": [-1]}, "level numbers from 0 up"),
        ({"levels": ["median"]}, "levels"),
        ({"bits": {"LC": 4}}, "each must be 8 to 16"),
        ({"bits": {"LC": 24}}, "each must be 8 to 16"),
        ({"void_value": 0}, "at least 1"),
    ],
)
def test_levels_bits_and_void_values_that_cannot_be_are_refused(preprocess, says):
    with pytest.raises(ConfigError, match=says):
        parse(TrialConfig, {"preprocess": preprocess})


def test_levels_are_numbers_and_names():
    preprocess = parse(TrialConfig, {"preprocess": {"levels": [0, "std", 3]}}).preprocess
    assert preprocess.levels == (0, "std", 3)


def test_a_decoder_may_leave_out_masked_patches_only_if_the_scores_do():
    with pytest.raises(ConfigError, match="patches that no decoder was trained on"):
        parse(TrialConfig, {"decoder": {"leave_out_masked_patches": True}})
    scored = {"margin_px": 0, "leave_out_masked_patches": True}
    parse(TrialConfig, {"decoder": {"leave_out_masked_patches": True}, "postprocess": scored})
