"""Work by hand, on an encoder of round numbers; and the decoders against PyTorch's counter."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bearing_search.config import (
    DETECTORS,
    DecoderConfig,
    DinomalyConfig,
    EncoderConfig,
    PadimConfig,
    PatchCoreConfig,
    SubspaceConfig,
    TrialConfig,
    VitadConfig,
)
from bearing_search.models.detectors.dinomaly import DinomalyDecoder
from bearing_search.models.detectors.vitad import VitadDecoder
from bearing_search.models.encoders.size import EncoderSize, encoder_size
from bearing_search.training.detection.work import dinomaly, padim, patchcore, subspace, vitad

CNN = EncoderSize(
    gflop=(1.0, 2.0, 3.0, 4.0),
    channels=(10, 20, 40, 80),
    grids=(8, 4, 2, 1),
    tokens=0,
    head_channels=0,
    parameters=1e6,
)
SMALL = encoder_size(EncoderConfig(name="vit_small_patch14_dinov2", input_px=112))


def test_patchcore_searches_a_share_of_all_normal_patches():
    section = PatchCoreConfig(layers=(2, 3), coreset_share=0.25, projection_dim=15)
    found = patchcore(TrialConfig(detector="patchcore").with_section(section), CNN, 50)
    patches, channels = 4 * 4, 20 + 40
    bank = 50 * patches // 4
    assert found.reads == (2, 3)
    assert found.gflop == pytest.approx(2 * patches * bank * channels / 1e9)
    assert found.num_bytes == 4 * bank * channels
    # every patch is projected, then compared with each selected patch
    assert found.fit_gflop == pytest.approx(50 * patches * (2 * 60 * 15 + 2 * bank * 15) / 1e9)
    assert found.fit_images == 50


def test_the_bank_of_a_transformer_is_of_its_blocks():
    section = PatchCoreConfig(blocks=(3, 6), coreset_share=1.0)
    found = patchcore(TrialConfig(detector="patchcore").with_section(section), SMALL, 2)
    assert found.reads == (3, 6)
    assert found.num_bytes == 4 * (2 * 64) * (2 * 384)


def test_a_bank_has_at_least_one_patch_and_no_projection_that_widens():
    section = PatchCoreConfig(layers=(4,), coreset_share=0.001, projection_dim=80)
    found = patchcore(TrialConfig(detector="patchcore").with_section(section), CNN, 1)
    assert found.num_bytes == 4 * 80
    assert found.fit_gflop == pytest.approx(2 * 80 / 1e9)


def test_padim_stores_a_matrix_for_every_position():
    section = PadimConfig(layers=(1, 2), dims=12)
    found = padim(TrialConfig(detector="padim").with_section(section), CNN, 50)
    assert found.reads == (1, 2)
    assert found.num_bytes == 4 * 64 * (144 + 12)
    assert found.gflop == pytest.approx(64 * 144 / 1e9)
    assert found.fit_gflop == pytest.approx(64 * (2 * 50 * 144 + 12**3 / 3) / 1e9)


def test_padim_draws_no_more_channels_than_there_are():
    section = PadimConfig(layers=(1, 2), dims=100)
    found = padim(TrialConfig(detector="padim").with_section(section), CNN, 50)
    assert found.num_bytes == 4 * 64 * (900 + 30)


def test_a_subspace_is_counted_with_all_channels():
    section = SubspaceConfig(blocks=(2, 3))
    found = subspace(TrialConfig(detector="subspace").with_section(section), SMALL, 50)
    assert found.reads == (2, 3)
    assert found.num_bytes == 4 * (384**2 + 384)
    assert found.gflop == pytest.approx(64 * 4 * 384**2 / 1e9)
    assert found.fit_gflop == pytest.approx((2 * 50 * 64 * 384**2 + 9 * 384**3) / 1e9)


def decoder_and_tokens(detector, section):
    if detector == "dinomaly":
        return DinomalyDecoder(384, 6, section), torch.zeros(2, 1, 65, 384)
    return VitadDecoder(384, 6, 64, section), torch.zeros(4, 1, 65, 384)


@pytest.mark.parametrize(
    ("count", "section", "reads"),
    [
        (dinomaly, DinomalyConfig(), (3, 4, 5, 6, 7, 8, 9, 10)),
        (dinomaly, DinomalyConfig(target_blocks=(1, 2), decoder_blocks=2), (1, 2)),
        (vitad, VitadConfig(), (3, 6, 9, 12)),
        (vitad, VitadConfig(student_blocks=11, mapping="dinomaly"), (3, 6, 9, 12)),
    ],
)
def test_a_decoder_is_counted_as_pytorch_counts_it(count, section, reads):
    detector = count.__name__
    config = TrialConfig(
        detector=detector, decoder=DecoderConfig(iterations=7, batch_size=16)
    ).with_section(section)
    decoder, tokens = decoder_and_tokens(detector, section)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        decoder(tokens)

    found = count(config, SMALL, 10)

    assert found.reads == reads
    # the counter sees the products with the sum of the keys, too
    assert found.gflop == pytest.approx(counter.get_total_flops() / 1e9, rel=0.01)
    parameters = sum(one.numel() for one in decoder.parameters())
    assert found.num_bytes == pytest.approx(4 * parameters, rel=0.01)
    assert found.fit_images == 7 * 10  # a batch holds all of them
    assert found.fit_gflop == pytest.approx(70 * 3 * found.gflop)


def test_every_detector_of_the_package_is_counted():
    assert all(spec.counted for spec in DETECTORS.values())
