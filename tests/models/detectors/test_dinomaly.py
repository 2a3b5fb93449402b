import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bearing_search.config import DinomalyConfig
from bearing_search.models.detectors.dinomaly import DinomalyDecoder, linear_attention
from bearing_search.models.encoders.tokens import mean_tokens

SMALL = DinomalyConfig(target_blocks=(1, 2, 3, 4), decoder_blocks=4)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("dim", "heads", "count"), [(384, 6, 15_377_280), (768, 12, 61_425_408)])
def test_the_decoder_has_the_official_number_of_parameters(dim, heads, count):
    with torch.device("meta"):
        decoder = DinomalyDecoder(dim, heads, DinomalyConfig())

    assert sum(parameter.numel() for parameter in decoder.parameters()) == count


def test_initial_weights_are_small_and_cut_off_and_follow_the_seed():
    def made(seed):
        torch.manual_seed(seed)
        return DinomalyDecoder(64, 2, SMALL)

    first, second, other = made(1), made(1), made(2)

    weights = first.blocks[0].attn.qkv.weight
    assert not torch.equal(weights, other.blocks[0].attn.qkv.weight)
    assert weights.abs().max() <= 0.03
    assert weights.std().item() == pytest.approx(0.01, rel=0.05)
    assert not first.blocks[0].attn.qkv.bias.any()
    assert all(map(torch.equal, first.parameters(), second.parameters()))


class TestLinearAttention:
    def test_two_tokens_by_hand(self):
        # features: key 0 -> 1, key 2 -> 3; weights 1/4 and 3/4 whatever the query
        key = torch.tensor([[[[0.0], [2.0]]]])
        value = torch.tensor([[[[0.0], [4.0]]]])
        query = torch.tensor([[[[5.0], [-1.0]]]])

        assert torch.allclose(
            linear_attention(query, key, value).flatten(), torch.tensor([3.0, 3.0])
        )

    def test_below_zero_the_feature_is_the_exponential(self):
        key = torch.log(torch.tensor([[[[0.25], [0.75]]]]))
        value = torch.tensor([[[[0.0], [4.0]]]])

        found = linear_attention(torch.ones(1, 1, 2, 1), key, value)
        assert torch.allclose(found.flatten(), torch.tensor([3.0, 3.0]), atol=1e-5)

    def test_agrees_with_every_weight_written_out(self):
        query, key, value = (randn(2, 3, 7, 5, seed=seed).double() for seed in range(3))

        def features(x):
            return torch.nn.functional.elu(x) + 1

        weights = features(query) @ features(key).transpose(2, 3)
        expected = weights / weights.sum(dim=3, keepdim=True) @ value
        # the epsilon in the divisor
        assert torch.allclose(linear_attention(query, key, value), expected, atol=1e-6)

    def test_its_gradient_is_that_of_its_value(self):
        arguments = [randn(1, 2, 3, 4, seed=seed).double().requires_grad_() for seed in range(3)]

        assert torch.autograd.gradcheck(linear_attention, arguments)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    @settings(max_examples=60)
    @given(data=st.data())
    def test_no_finite_input_gives_anything_but_a_mean_of_the_values(self, dtype, data):
        # the whole range of fp16; products of three such numbers fit into fp32
        extreme = st.one_of(
            st.sampled_from([-65504.0, -104.0, -20.0, -8.0, -0.0, 0.0, 1e-40, 1e-7, 65504.0]),
            st.floats(-65504, 65504, width=16),
        )
        shape = (1, 2, 4, 3)
        arrays = [
            data.draw(
                st.one_of(
                    hnp.arrays(np.float32, shape, elements=extreme, fill=st.nothing()),
                    extreme.map(lambda value: np.full(shape, value, np.float32)),
                )
            )
            for _ in range(3)
        ]
        query, key, value = (torch.tensor(a).to(dtype).requires_grad_() for a in arrays)

        found = linear_attention(query, key, value)
        found.float().sum().backward()

        assert torch.isfinite(found).all()
        # one unit in the last place of bf16 above the largest value
        assert found.abs().max() <= value.abs().max() * 1.01
        gradients = torch.stack([query.grad, key.grad, value.grad]).float()
        # steep where the features vanish: fp16 ends at 65,504, but nothing is undefined
        is_sound = ~gradients.isnan() if dtype is torch.float16 else gradients.isfinite()
        assert is_sound.all()


def gathered(blocks, config):
    reads = DinomalyDecoder(8, 2, config).reads
    return torch.stack([mean_tokens([blocks[block] for block in read]) for read in reads])


@pytest.mark.parametrize("query", [1.0, 1e9, -1e9])
@pytest.mark.parametrize("key", [1.0, 1e9, -1e9])
def test_linear_attention_is_finite_far_beyond_fp16_at_the_papers_length(query, key):
    arrays = [torch.full((1, 1, 1029, 64), x).bfloat16() for x in (query, key, 1e9)]
    arguments = [array.requires_grad_() for array in arrays]

    found = linear_attention(*arguments)
    found.float().sum().backward()

    assert found.isfinite().all()
    assert all(argument.grad.isfinite().all() for argument in arguments)


class TestGroups:
    def test_targets_are_means_of_four_blocks_each(self):
        blocks = {block: torch.full((1, 2, 3), float(block)) for block in range(3, 11)}

        targets = gathered(blocks, DinomalyConfig())

        assert targets[:, 0, 0, 0].tolist() == [4.5, 8.5]

    def test_one_group_is_the_mean_of_all(self):
        blocks = {block: torch.full((1, 2, 3), float(block)) for block in range(3, 11)}

        targets = gathered(blocks, DinomalyConfig(groups=1))

        assert targets[:, 0, 0, 0].tolist() == [6.5]

    def test_the_last_decoder_blocks_answer_the_first_encoder_blocks(self):
        decoder = DinomalyDecoder(8, 2, SMALL).eval()
        outputs = []
        for block in decoder.blocks:
            block.register_forward_hook(lambda *call: outputs.append(call[2]))

        found = decoder(randn(2, 1, 5, 8))

        assert torch.allclose(found[0], (outputs[3] + outputs[2]) / 2)
        assert torch.allclose(found[1], (outputs[1] + outputs[0]) / 2)

    def test_the_decoder_sees_the_mean_of_the_groups_only(self):
        decoder = DinomalyDecoder(8, 2, SMALL).eval()
        targets = randn(2, 1, 5, 8)
        shift = randn(1, 5, 8, seed=1)

        moved = decoder(torch.stack([targets[0] + shift, targets[1] - shift]))
        assert torch.allclose(moved, decoder(targets), atol=1e-6)
