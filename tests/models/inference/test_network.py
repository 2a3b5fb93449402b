"""The network for use says what the trained detector says."""

import numpy as np
import pytest
import torch

from bearing_search.config import DETECTORS, TrialConfig, parse
from bearing_search.errors import ConfigError
from bearing_search.models.inference.network import make_network, network_from, stored_tensors
from bearing_search.training.backbone import load_backbone
from bearing_search.training.detection.detector import make_detector
from bearing_search.training.images import Images
from bearing_search.training.plan import detector_iterations


def pictures(count, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def fp32(monkeypatch):
    """Training in fp32, as networks for use are."""
    from bearing_search.training import precision

    monkeypatch.setattr(precision, "precision_name", lambda device: "fp32")


def trained(config):
    encoder, pixels = load_backbone(config), pictures(6, seed=0)
    normals = Images(pixels=pixels, masks=np.zeros(pixels.shape[:3], dtype=bool))
    found = make_detector(encoder, config, normals=normals, rotation_deg=0.0, device="cpu")
    for number in range(detector_iterations(config)):
        found.iterate(number)
    (tensors,) = found.state(is_finished=True).values()
    return encoder, found, tensors


@pytest.mark.parametrize(
    ("detector", "encoder"),
    [
        *((name, "test_vit") for name in ("dinomaly", "vitad", "patchcore", "padim", "subspace")),
        *((name, "test_resnet") for name in ("patchcore", "padim")),
    ],
)
def test_a_stored_network_has_the_distances_of_the_trained_detector(
    tiny_raw, fp32, detector, encoder
):
    tiny_raw |= {"detector": detector}
    tiny_raw["encoder"]["name"] = encoder
    tiny_raw["decoder"]["iterations"] = 2
    tiny_raw["decoder"]["lr_warmup_iters"] = 1
    if encoder == "test_resnet":
        tiny_raw["finetune"] = {"epochs": 0, "reconstruction_only_epochs": 0}
    config = parse(TrialConfig, tiny_raw)
    encoder, found, tensors = trained(config)
    test = pictures(3, seed=1)
    wanted = found.detect(test)

    network = network_from(config, stored_tensors(encoder, tensors))
    distances, own = network(torch.from_numpy(test))

    np.testing.assert_allclose(distances.numpy(), wanted.distances, rtol=1e-5, atol=1e-6)
    assert (own is None) == (wanted.own_scores is None)
    if own is not None:
        np.testing.assert_allclose(own.numpy(), wanted.own_scores, rtol=1e-5)


def test_a_detector_without_a_network_is_refused(tiny_config, toy):
    config = parse(TrialConfig, {"detector": "toy", "encoder": {"name": "test_vit"}})
    assert DETECTORS["toy"].network == ""
    with pytest.raises(ConfigError, match="detector toy cannot be exported"):
        make_network(load_backbone(tiny_config), config, {})
