import torch

from bearing_search.models.finetuning.heads import PatchHead, ReconstructionHead


def test_a_patch_is_painted_from_its_own_token_pixel_by_pixel():
    head = ReconstructionHead(12, 2)
    with torch.no_grad():
        head.project.weight.copy_(torch.eye(12))
    tokens = torch.arange(48.0).reshape(1, 4, 12)

    picture = head(tokens)

    assert picture.shape == (1, 3, 4, 4)
    # token 1 is the upper right patch: its first colour is its first four channels
    assert picture[0, 0, :2, 2:].tolist() == [[12, 13], [14, 15]]
    assert picture[0, 2, 2:, :2].tolist() == [[32, 33], [34, 35]]


def test_a_linear_head_can_learn_any_picture():
    # the tokens are the picture's own patches, so an exact solution exists
    head = ReconstructionHead(48, 4)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(64, 4, 48, generator=generator)
    wanted = torch.randn(48, 48, generator=generator)
    with torch.no_grad():
        target = head.project(tokens @ wanted)
        solution = torch.linalg.lstsq(tokens.flatten(0, 1), target.flatten(0, 1)).solution
        head.project.weight.copy_(solution.T)
        assert torch.allclose(head.project(tokens), target, atol=1e-4)


def test_patch_logits_are_one_pair_per_patch():
    head = PatchHead(6)

    logits = head(torch.randn(2, 9, 6))

    assert logits.shape == (2, 9, 2)
    assert {name for name, _ in head.named_parameters()} == {"classify.weight", "classify.bias"}


def test_a_head_can_have_a_hidden_layer_and_a_norm_of_its_own():
    plain, deep = PatchHead(6), PatchHead(6, form="mlp", reads_raw=True)
    deep_picture = ReconstructionHead(6, 2, form="mlp")
    tokens = torch.randn(2, 4, 6)

    assert {name.split(".")[0] for name, _ in plain.named_parameters()} == {"classify"}
    assert [type(layer).__name__ for layer in deep.prepare] == ["LayerNorm", "Linear", "GELU"]
    assert deep(tokens).shape == plain(tokens).shape
    assert torch.allclose(deep(tokens), deep(5 * tokens + 1), atol=1e-3)  # the norm undoes it
    assert deep_picture(tokens).shape == (2, 3, 4, 4)
    # no linear map: the answer to a sum is not the sum of the answers
    one, other = tokens
    apart = deep_picture(one[None]) + deep_picture(other[None])
    assert not torch.allclose(deep_picture(one[None] + other[None]), apart, atol=1e-4)
