import pytest
import torch

from bearing_search.config import VitadConfig
from bearing_search.models.detectors.vitad import VitadDecoder


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# per block 12 d^2 + 13 d, the linear layer d^2 + d, a position of d numbers for each patch
@pytest.mark.parametrize(("dim", "heads", "count"), [(384, 6, 16_216_320), (768, 12, 64_578_048)])
def test_the_student_has_the_official_number_of_parameters_in_use(dim, heads, count):
    with torch.device("meta"):
        decoder = VitadDecoder(dim, heads, 256, VitadConfig())

    assert sum(parameter.numel() for parameter in decoder.parameters()) == count


@pytest.mark.parametrize(
    ("mapping", "taps", "depth"), [("ader", (9, 6, 3), 9), ("dinomaly", (7, 4, 1), 7)]
)
def test_which_student_block_answers_which_teacher_block(mapping, taps, depth):
    torch.manual_seed(0)
    decoder = VitadDecoder(8, 2, 4, VitadConfig(mapping=mapping))
    outputs = {}
    for number, block in enumerate(decoder.blocks, start=1):
        block.register_forward_hook(lambda *call, n=number: outputs.update({n: call[2]}))

    found = decoder(randn(4, 1, 5, 8))

    assert decoder.config.taps == taps
    assert len(outputs) == depth
    assert all(torch.equal(ours, outputs[tap]) for ours, tap in zip(found, taps, strict=True))


def test_the_student_sees_the_patches_of_the_neck_alone():
    decoder = VitadDecoder(8, 2, 4, VitadConfig())
    gathered = randn(4, 1, 6, 8)  # two prefix tokens
    answer = decoder(gathered)
    other = gathered.clone()
    other[:3] = 0
    other[3, :, :2] = 7

    assert torch.equal(decoder(other), answer)
    other[3, :, 2] = 7
    assert not torch.equal(decoder(other), answer)


def test_equal_patches_are_told_apart_by_their_position():
    answer = VitadDecoder(8, 2, 4, VitadConfig())(torch.ones(4, 1, 5, 8))

    assert len(answer[0, 0].detach().unique(dim=0)) == 4


def test_initial_weights_follow_the_seed():
    def made(seed):
        torch.manual_seed(seed)
        return VitadDecoder(64, 2, 4, VitadConfig())

    first, second, other = made(1), made(1), made(2)

    assert not torch.equal(first.neck.weight, other.neck.weight)
    assert all(map(torch.equal, first.parameters(), second.parameters()))
    assert first.blocks[0].attn.qkv.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert first.neck.weight.abs().max().item() == pytest.approx(1 / 8, rel=0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"teacher_blocks": ()}, "at least one, in ascending order"),
        ({"teacher_blocks": (6, 3)}, "ascending"),
        ({"teacher_blocks": (3, 3)}, "ascending"),
        ({"teacher_blocks": (0, 3)}, "each must be at least 1"),
        ({"neck_block": 0}, "neck_block is 0"),
        ({"student_blocks": 8}, r"student_blocks is 8; must be at least .* \(9\)"),
        ({"init_std": 0.0}, "init_std is 0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        VitadConfig(**settings)
