import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bearing_search.models.encoders import attention
from bearing_search.models.encoders.attention import SelfAttention, attend, use_quick_attention


def qkv(length, dtype, *, requires_grad=False):
    generator = torch.Generator().manual_seed(length)
    return [
        torch.randn(2, 3, length, 8, generator=generator).to(dtype).requires_grad_(requires_grad)
        for _ in range(3)
    ]


def test_two_tokens_by_hand():
    # scores 0 and ln 3 after the scaling by 1 / sqrt(1): weights 1/4 and 3/4
    query = torch.tensor([[[[1.0], [0.0]]]])
    key = torch.tensor([[[[0.0], [torch.log(torch.tensor(3.0))]]]])
    value = torch.tensor([[[[0.0], [4.0]]]])

    assert torch.allclose(attend(query, key, value).flatten(), torch.tensor([3.0, 2.0]))


@pytest.mark.parametrize("limit", [0, attention.MAX_PLAIN_BYTES])
def test_bf16_agrees_with_double_precision_on_either_path(limit, monkeypatch):
    monkeypatch.setattr(attention, "MAX_PLAIN_BYTES", limit)
    low = qkv(50, torch.bfloat16)
    exact = torch.nn.functional.scaled_dot_product_attention(*(x.double() for x in low))

    found = attend(*low)

    assert found.dtype is torch.bfloat16
    assert torch.allclose(found.double(), exact, atol=0.02)  # 2 to 3 units in the last place


def test_the_plain_path_passes_gradients_to_all_three():
    low = qkv(9, torch.bfloat16, requires_grad=True)
    exact = [x.detach().double().requires_grad_() for x in low]
    attend(*low).double().square().sum().backward()
    attend(*exact).square().sum().backward()

    for ours, theirs in zip(low, exact, strict=True):
        scale = theirs.grad.abs().max()
        assert torch.allclose(ours.grad.double() / scale, theirs.grad / scale, atol=0.03)


def test_replacing_timms_attention_changes_neither_output_nor_names(tiny_vit, images):
    theirs = copy.deepcopy(tiny_vit)
    use_quick_attention(tiny_vit)

    assert all(isinstance(block.attn, SelfAttention) for block in tiny_vit.blocks)
    assert tiny_vit.state_dict().keys() == theirs.state_dict().keys()
    assert torch.allclose(tiny_vit(images), theirs(images), atol=1e-6)


def test_under_autocast_the_replacement_stays_near_timm(tiny_vit, images):
    theirs = copy.deepcopy(tiny_vit)
    use_quick_attention(tiny_vit)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        low = tiny_vit(images)
        reference = theirs(images)

    assert (low - theirs(images)).abs().max() < 2 * (reference - theirs(images)).abs().max() + 0.01


def test_attention_with_more_than_a_projection_is_left_to_timm():
    from bearing_search.models.encoders.encoder import import_timm

    vit = import_timm().models.vision_transformer.VisionTransformer(
        img_size=16, patch_size=8, embed_dim=16, depth=1, num_heads=2, qk_norm=True
    )
    use_quick_attention(vit)

    assert not isinstance(vit.blocks[0].attn, SelfAttention)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@settings(max_examples=60)
@given(data=st.data())
def test_no_finite_input_gives_anything_but_a_mean_of_the_values(dtype, data):
    shape = (1, 2, 4, 3)
    extreme = st.one_of(
        st.sampled_from([-65504.0, -104.0, -1e-40, 0.0, 1e-40, 1e-7, 65504.0]),
        st.floats(-65504, 65504, width=16),
    )
    arrays = st.one_of(
        hnp.arrays(np.float32, shape, elements=extreme, fill=st.nothing()),
        extreme.map(lambda value: np.full(shape, value, np.float32)),
    )
    query, key, value = (torch.tensor(data.draw(arrays)).to(dtype) for _ in range(3))
    arguments = [tensor.requires_grad_() for tensor in (query, key, value)]

    found = attend(*arguments)
    found.float().sum().backward()

    assert found.isfinite().all()
    assert found.abs().max() <= value.abs().max() * 1.01
    # nothing is trained in fp16, where PyTorch's own gradient overflows
    assert dtype is torch.float16 or all(tensor.grad.isfinite().all() for tensor in arguments)
