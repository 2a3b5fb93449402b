import copy
import subprocess
import sys
from typing import Any

import pytest
import torch

from bearing_search.config import EncoderConfig
from bearing_search.errors import ConfigError, ResourceError
from bearing_search.models.encoders import encoder as module
from bearing_search.models.encoders.encoder import import_timm, load_encoder

SMALL: dict[str, Any] = {"name": "test_vit", "weights": "random", "input_px": 64}


def test_blocks_are_timms_own_intermediates_counted_from_one(tiny_vit, tiny_encoder, images):
    expected = tiny_vit.forward_intermediates(
        images, indices=[0, 2], output_fmt="NLC", return_prefix_tokens=True, intermediates_only=True
    )

    found = tiny_encoder(images, (3, 1))

    for block, (patches, prefix) in zip((1, 3), expected, strict=True):
        assert torch.allclose(found.blocks[block], torch.cat([prefix, patches], dim=1), atol=1e-6)
    assert set(found.blocks) == {1, 3}


def test_the_final_tokens_are_normed_and_the_last_block_is_not(tiny_vit, tiny_encoder, images):
    found = tiny_encoder(images, (4,), final=True)

    assert torch.allclose(found.final, tiny_vit.forward_features(images), atol=1e-6)
    assert torch.allclose(tiny_vit.norm(found.blocks[4]), found.final)


def test_later_blocks_are_not_run_unless_the_final_tokens_are_wanted(tiny_encoder, images):
    def fail(*_args):
        raise AssertionError("ran")

    tiny_encoder.vit.blocks[2].register_forward_hook(fail)

    assert tiny_encoder(images, (1, 2)).final is None
    with pytest.raises(AssertionError, match="ran"):
        tiny_encoder(images, (1, 2), final=True)


def test_a_block_that_does_not_exist_is_the_users_mistake(tiny_encoder):
    tiny_encoder.check_blocks((1, 4), setting="finetune.ssim_layers")
    with pytest.raises(ConfigError, match=r"ssim_layers names block 5; tiny has blocks 1 to 4"):
        tiny_encoder.check_blocks((1, 5), setting="finetune.ssim_layers")


def test_facts_about_the_encoder(tiny_encoder):
    assert (tiny_encoder.patch_px, tiny_encoder.input_px, tiny_encoder.grid) == (8, 32, (4, 4))
    assert (tiny_encoder.dim, tiny_encoder.num_heads, tiny_encoder.num_blocks) == (16, 2, 4)
    assert tiny_encoder.num_prefix_tokens == 3


def test_a_copy_is_trained_without_the_original(tiny_encoder, images):
    trained = copy.deepcopy(tiny_encoder)
    before = tiny_encoder(images, (), final=True).final
    trained(images, (), final=True).final.square().sum().backward()
    torch.optim.SGD(trained.parameters(), lr=0.1).step()

    assert torch.equal(tiny_encoder(images, (), final=True).final, before)
    assert not torch.allclose(trained(images, (), final=True).final, before)


def test_random_weights_follow_the_seed_and_leave_the_global_state_alone(smallest_encoder):
    torch.manual_seed(5)
    undisturbed = torch.rand(1)
    torch.manual_seed(5)
    again = load_encoder(EncoderConfig(**SMALL))
    other = load_encoder(EncoderConfig(**SMALL), seed=1)

    assert torch.equal(torch.rand(1), undisturbed)
    weights = [encoder.vit.blocks[0].mlp.fc1.weight for encoder in (smallest_encoder, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert (again.weights_sha256, other.weights_sha256) == ("random-0", "random-1")


def test_a_loaded_encoder_is_fp32_and_in_eval_mode(smallest_encoder):
    assert not any(child.training for child in smallest_encoder.modules())
    assert {parameter.dtype for parameter in smallest_encoder.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_px": 100}, "input_px is 100, not a multiple .* 16 px; the nearest are 96 and 112"),
        ({"name": "vit_smal_patch14_dinov2"}, r"did you mean vit_small_patch14_dinov2\."),
        ({"name": "vit_small_patch16_dinov3"}, "dinov3 is not one of timm's plain vision"),
        ({"name": "vit_small_patch14_dinov2.lvd"}, "encoder.name: .*lvd"),
        ({"name": "resnet18"}, "resnet18 is not one of timm's plain vision transformers"),
        ({"name": "qqq"}, "timm has no model qqq; an example is vit_"),
    ],
)
def test_mistakes_in_the_config_are_one_line(change, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_encoder(EncoderConfig(**SMALL | change))

    assert "\n" not in str(caught.value)


def test_torch_and_torchvision_of_different_builds_are_explained(monkeypatch, tmp_path):
    # a timm that dies as the real one does beside a foreign torchvision
    broken = 'raise RuntimeError("operator torchvision::nms does not exist")\n'
    (tmp_path / "timm.py").write_text(broken)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)

    with pytest.raises(
        ResourceError, match=r"incompatible builds .*Reinstall both together"
    ) as caught:
        import_timm()

    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_timm_is_not_imported_before_it_is_needed():
    code = f"import sys, {module.__name__}; print('timm' in sys.modules)"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "False"
