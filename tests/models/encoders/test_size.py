"""Counts by name against PyTorch's own counter, on the real architectures."""

from typing import Any

import pytest
import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

from bearing_search.config import EncoderConfig
from bearing_search.models.encoders.encoder import Encoder
from bearing_search.models.encoders.size import encoder_size


def size(name, input_px):
    return encoder_size(EncoderConfig(name=name, input_px=input_px))


def flops(call):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call()
    return counter.get_total_flops() / 1e9


@pytest.mark.parametrize(
    ("name", "input_px"),
    [
        ("vit_tiny_patch16_224", 64),
        ("vit_small_patch14_dinov2", 224),
        ("vit_base_patch14_reg4_dinov2", 448),
        ("vit_large_patch16_224", 224),
        ("deit_small_patch16_224", 256),
    ],
)
def test_a_transformer_is_counted_block_by_block(name, input_px):
    with torch.device("meta"):
        vit = timm.create_model(name, num_classes=0, img_size=input_px).eval()
        encoder = Encoder(vit, name=name, weights_sha256="")
        images = torch.zeros(1, 3, input_px, input_px)
        found = size(name, input_px)

        for block in (1, 3, len(vit.blocks)):
            counted = flops(lambda block=block: encoder(images, (block,)))
            assert found.gflop_up_to((1, block)) == pytest.approx(counted, rel=1e-3)

    parameters = sum(one.numel() for one in vit.parameters())
    assert found.parameters == pytest.approx(parameters, rel=0.01)
    assert (found.channels[0], found.grids[0]) == (encoder.dim, encoder.grid[0])
    assert found.tokens == found.grids[0] ** 2 + encoder.num_prefix_tokens
    assert found.head_channels == encoder.dim // encoder.num_heads
    assert len(found.gflop) == encoder.num_blocks


@pytest.mark.parametrize("name", ["resnet18", "wide_resnet50_2", "convnext_tiny"])
@pytest.mark.parametrize("input_px", [224, 320])
def test_a_convolutional_network_is_counted_layer_by_layer(name, input_px):
    found = size(f"{name}.tv_in1k", input_px)
    with torch.device("meta"):
        net = timm.create_model(name, num_classes=0).eval()
        images = torch.zeros(1, 3, input_px, input_px)
        strides = [info["reduction"] for info in net.feature_info]
        for layer in (1, 2, 3, 4):
            index = strides.index(2 ** (layer + 1))
            maps: list[Any] = []

            def run(index=index, maps=maps):
                maps[:] = net.forward_intermediates(
                    images, indices=[index], intermediates_only=True, stop_early=True
                )

            assert found.gflop_up_to((layer,)) == pytest.approx(flops(run), rel=0.02)
            assert maps[0].shape[1:3] == (found.channels[layer - 1], found.grids[layer - 1])
    parameters = sum(one.numel() for one in net.parameters())
    assert found.parameters == pytest.approx(parameters, rel=0.01)


@pytest.mark.parametrize(
    "name",
    [
        "vit_giant_patch14_dinov2",
        "vit_small_plus_patch16_dinov3",
        "swin_tiny_patch4_window7_224",
        "x",
    ],
)
def test_another_name_tells_no_size(name):
    assert size(name, 224) is None


def test_an_input_below_one_patch_has_no_size():
    assert size("vit_base_patch32_clip_448", 16) is None
