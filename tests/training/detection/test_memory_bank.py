from dataclasses import replace

import numpy as np
import pytest
import torch

from bearing_search.config import DETECTORS, EncoderConfig, FinetuneConfig
from bearing_search.errors import TrialFailedError
from bearing_search.training.backbone import load_backbone
from bearing_search.training.checkpoint import Checkpoint
from bearing_search.training.detection.detector import Detector, make_detector, train_detector
from bearing_search.training.images import Images
from bearing_search.training.plan import detector_iterations

SIDE = 64
CNN = EncoderConfig(name="test_resnet", weights="random", input_px=SIDE)
FROZEN = FinetuneConfig(epochs=0, reconstruction_only_epochs=0)


def images(count, seed=0):
    pixels = np.random.default_rng(seed).integers(60, 120, (count, SIDE, SIDE, 3)).astype(np.uint8)
    return Images(pixels=pixels, masks=np.zeros((count, SIDE, SIDE), dtype=bool))


@pytest.fixture(params=["vit", "cnn"])
def config(request, tiny_config):
    frozen = replace(tiny_config, finetune=FROZEN, detector="patchcore")
    return replace(frozen, encoder=CNN) if request.param == "cnn" else frozen


def made(config, normals, rotation_deg=0.0):
    return make_detector(
        load_backbone(config), config, normals=normals, rotation_deg=rotation_deg, device="cpu"
    )


def trained(config, normals, **options):
    detector = made(config, normals, **options)
    for number in range(detector_iterations(config)):
        detector.iterate(number)
    return detector


@pytest.mark.parametrize("name", ["patchcore", "padim", "subspace"])
def test_a_strange_patch_is_found_where_it_lies(config, name):
    if config.encoder == CNN and not DETECTORS[name].reads_cnn:
        pytest.skip("averages blocks of one size")
    normals, strange = images(12), images(2, seed=1)
    strange.pixels[1, 32:48, 48:64] = 250
    detector = trained(replace(config, detector=name), normals)

    found = detector.detect(strange.pixels)

    assert isinstance(detector, Detector)
    cells = found.distances.shape[2]
    assert found.distances.shape == (2, 1, cells, cells)
    assert found.distances.dtype == np.float32
    strangeness = found.distances[1, 0]
    there = strangeness[cells // 2 : 3 * cells // 4, 3 * cells // 4 :].mean()
    assert there > 1.2 * strangeness[:, : cells // 2].mean()
    assert there > 1.2 * found.distances[0].mean()
    if name == "patchcore":
        assert found.own_scores[1] > found.own_scores[0]
    else:
        assert found.own_scores is None


@pytest.mark.parametrize("name", ["patchcore", "padim"])
@pytest.mark.parametrize("count", [1, 3, 20])
def test_any_number_of_normals_takes_the_same_iterations(tiny_config, tmp_path, name, count):
    config = replace(tiny_config, encoder=CNN, finetune=FROZEN, detector=name)
    detector = made(config, images(count))
    checkpoint = Checkpoint(tmp_path, "detector")

    rows = list(train_detector(detector, 9, checkpoint=checkpoint, should_stop=lambda: False))

    assert [row["read_share"] for row in rows[:-1]] == [k / 8 for k in range(1, 9)]
    assert np.isfinite(list(rows[-1].values())).all()
    assert np.isfinite(detector.detect(images(2, seed=1).pixels).distances).all()


def test_parts_that_are_rotated_elsewhere_are_read_as_they_are(config):
    normals, others = images(5), images(2, seed=1)
    straight = trained(config, normals).detect(others.pixels)
    turned = trained(config, normals, rotation_deg=15.0).detect(others.pixels)

    assert np.array_equal(straight.distances, turned.distances)


@pytest.mark.parametrize("name", ["patchcore", "padim"])
def test_a_result_detects_as_its_maker_did(tiny_config, name):
    config = replace(tiny_config, encoder=CNN, finetune=FROZEN, detector=name)
    normals, others = images(5), images(2, seed=1)
    detector, other = trained(config, normals), made(config, normals)
    other.load(detector.state(is_finished=True))

    assert np.array_equal(
        detector.detect(others.pixels).distances, other.detect(others.pixels).distances
    )


def test_a_stop_in_the_middle_changes_nothing(config, tmp_path):
    normals, others = images(9), images(2, seed=1)
    whole = trained(config, normals).detect(others.pixels)
    asked = iter(range(99))
    first = made(config, normals)
    stopped = Checkpoint(tmp_path, "detector")
    list(train_detector(first, 9, checkpoint=stopped, should_stop=lambda: next(asked) >= 4))
    assert not stopped.is_finished

    second, checkpoint = made(config, normals), Checkpoint(tmp_path, "detector")
    rows = list(train_detector(second, 9, checkpoint=checkpoint, should_stop=lambda: False))

    assert len(rows) == 9
    assert np.array_equal(second.detect(others.pixels).distances, whole.distances)


def test_a_broken_encoder_fails_the_trial(config, tmp_path):
    backbone = load_backbone(config)
    next(backbone.parameters()).data.fill_(float("nan"))
    detector = make_detector(backbone, config, normals=images(3), rotation_deg=0.0, device="cpu")
    with pytest.raises(TrialFailedError, match=r"detector: a feature of the encoder is not finite"):
        list(
            train_detector(
                detector, 9, checkpoint=Checkpoint(tmp_path, "d"), should_stop=lambda: False
            )
        )


def test_the_encoder_is_left_alone(config):
    backbone = load_backbone(config)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    detector = make_detector(backbone, config, normals=images(5), rotation_deg=0.0, device="cpu")
    for number in range(detector_iterations(config)):
        detector.iterate(number)

    assert all(torch.equal(before[n], tensor) for n, tensor in backbone.state_dict().items())
