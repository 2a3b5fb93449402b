from dataclasses import replace
from pathlib import Path

import pytest

from bearing_search.config import (
    AugmentConfig,
    DecoderConfig,
    EncoderConfig,
    FinetuneConfig,
    PatchCoreConfig,
    PostprocessConfig,
    TrialConfig,
)
from bearing_search.data.samples import Sample
from bearing_search.models.encoders.size import encoder_size
from bearing_search.training.cost import cost_of_use, train_gflop
from bearing_search.training.detection.work import dinomaly

ENCODER = EncoderConfig(name="vit_small_patch14_dinov2", input_px=112)
FROZEN = FinetuneConfig(epochs=0, reconstruction_only_epochs=0)
BASE = TrialConfig(
    encoder=ENCODER, finetune=FROZEN, decoder=DecoderConfig(iterations=5, batch_size=4)
)
UPRIGHT = replace(BASE, augment=AugmentConfig(rotation_deg=0.0))
SIZE = encoder_size(ENCODER)


def samples(normal, anomalous, part="LC"):
    return [
        Sample(
            part=part,
            split="train",
            defect="dent" if number >= normal else "good",
            name=str(number),
            group=str(number),
            is_anomalous=number >= normal,
            level_files=(Path("b0.png"),),
            mask_file=Path("mask.png") if number >= normal else None,
        )
        for number in range(normal + anomalous)
    ]


def test_using_it_takes_the_encoder_up_to_the_last_block_read_and_the_detector():
    found, detector = cost_of_use(BASE, 10), dinomaly(BASE, SIZE, 10)
    assert found.gflop == pytest.approx(SIZE.gflop[9] + detector.gflop)
    assert found.megabytes == pytest.approx((4 * SIZE.parameters + detector.num_bytes) / 1e6)


def test_each_brightness_by_itself_is_three_inputs_and_three_times_the_bank():
    config = replace(BASE, detector="patchcore").with_section(PatchCoreConfig())
    together = cost_of_use(config, 30)
    alone = cost_of_use(replace(config, fusion="score_max"), 10)
    assert alone.gflop == pytest.approx(3 * together.gflop)
    assert alone.megabytes == pytest.approx(together.megabytes)


@pytest.mark.parametrize("name", ["vit_giant_patch14_dinov2", "beitv2_large_patch16_224"])
def test_an_encoder_of_unknown_size_costs_nobody_knows_what(name):
    config = replace(BASE, encoder=EncoderConfig(name=name))
    assert cost_of_use(config, 10) is None
    assert train_gflop(config, samples(10, 2)) is None


def test_a_detector_from_outside_is_unknown_until_it_says_how_it_is_counted(toy, monkeypatch):
    from bearing_search.config import DETECTORS

    config = replace(BASE, detector="toy")
    assert cost_of_use(config, 10) is None
    counted = replace(toy.SPEC, counted="bearing_search.training.detection.work:padim")
    monkeypatch.setitem(DETECTORS, "toy", counted)
    assert cost_of_use(config, 10) == cost_of_use(replace(BASE, detector="padim"), 10)


def test_frozen_features_count_once_and_with_rotation_in_every_iteration():
    detector = dinomaly(BASE, SIZE, 10)
    once, rotated = train_gflop(UPRIGHT, samples(10, 2)), train_gflop(BASE, samples(10, 2))
    assert once == pytest.approx(10 * SIZE.gflop[9] + detector.fit_gflop)
    assert rotated == pytest.approx(5 * 4 * SIZE.gflop[9] + detector.fit_gflop)
    assert train_gflop(BASE, samples(10, 2, part="OD")) == pytest.approx(once)


def tuning(config, train, **settings):
    """Work of the fine-tuning alone, in passes through the whole encoder; 4 epochs of each task."""
    tuned = FinetuneConfig(
        **{"epochs": 8, "reconstruction_only_epochs": 4, "alternation_period": 4, **settings}
    )
    with_it = train_gflop(replace(config, finetune=tuned), train)
    return (with_it - train_gflop(config, train)) / SIZE.gflop[-1]


def test_fine_tuning_is_three_passes_and_a_frozen_one_where_its_features_are_compared():
    train = samples(10, 2)
    # reconstruction of 10, with frozen features up to block 12; patch classification of 2
    assert tuning(BASE, train) == pytest.approx(4 * 10 * 4 + 4 * 2 * 3)
    assert tuning(UPRIGHT, train) == pytest.approx(4 * 10 * 3 + 10 + 4 * 2 * 3)
    assert tuning(UPRIGHT, train, flip=True) == pytest.approx(tuning(BASE, train))
    anchored = tuning(BASE, train, patch_anchor_weight=0.5)
    assert anchored == pytest.approx(4 * 10 * 4 + 4 * 2 * 4)
    shallow = tuning(BASE, train, ssim_layers=(6,))
    assert shallow == pytest.approx(4 * 10 * (3 + SIZE.gflop[5] / SIZE.gflop[-1]) + 4 * 2 * 3)


def test_blocks_without_gradients_save_their_backward_passes():
    train = samples(10, 2)
    passes = 4 * 10 + 4 * 2
    below = SIZE.gflop[8] / SIZE.gflop[-1]
    all_of_it = tuning(BASE, train)
    assert all_of_it - tuning(BASE, train, trainable_blocks=3) == pytest.approx(passes * 2 * below)
    assert all_of_it - tuning(BASE, train, trainable_blocks=0) == pytest.approx(passes * 2)
    assert all_of_it - tuning(BASE, train, trainable_blocks=12) == pytest.approx(0)


def test_a_part_without_defects_gets_one_per_normal_sample():
    drawn = tuning(BASE, samples(10, 0))
    assert drawn == pytest.approx(4 * 10 * 4 + 4 * 10 * 3)
    both = samples(10, 0) + samples(6, 1, part="SC")
    assert tuning(BASE, both) == pytest.approx(4 * 16 * 4 + 4 * 11 * 3)


def test_patches_that_are_left_out_of_the_losses_cost_what_they_did():
    tuned = replace(BASE, finetune=FinetuneConfig(epochs=3, reconstruction_only_epochs=3))
    fewer = replace(
        tuned,
        finetune=replace(tuned.finetune, leave_out_masked_patches=True),
        decoder=replace(tuned.decoder, leave_out_masked_patches=True),
        postprocess=PostprocessConfig(margin_px=0, leave_out_masked_patches=True),
    )
    assert train_gflop(fewer, samples(10, 2)) == train_gflop(tuned, samples(10, 2))


@pytest.mark.parametrize("settings", [{"flip": True}, {"brightness_jitter": 0.1}])
def test_other_augmentation_costs_what_rotation_does(settings):
    altered = replace(UPRIGHT, decoder=replace(BASE.decoder, **settings))
    assert train_gflop(altered, samples(10, 2)) == train_gflop(BASE, samples(10, 2))
    tuned = FinetuneConfig(epochs=3, reconstruction_only_epochs=3)
    still, turned = (
        train_gflop(replace(UPRIGHT, finetune=config), samples(10, 2))
        for config in (tuned, replace(tuned, **settings))
    )
    assert still < turned
