"""What every detector must do, those of the package and one from outside."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bearing_search.config import DETECTORS, FinetuneConfig, PostprocessConfig
from bearing_search.errors import TrialFailedError
from bearing_search.models.encoders.encoder import load_encoder
from bearing_search.training.checkpoint import Checkpoint
from bearing_search.training.detection.detection import Detection
from bearing_search.training.detection.detector import Detector, make_detector, train_detector
from bearing_search.training.images import Images, take
from bearing_search.training.plan import detector_iterations

SIDE = 64


def images(count, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (count, SIDE, SIDE, 3)).astype(np.uint8)
    return Images(pixels=pixels, masks=np.zeros((count, SIDE, SIDE), dtype=bool))


@pytest.fixture(params=[*DETECTORS, "toy"])
def config(request, toy, tiny_config):
    frozen = FinetuneConfig(epochs=0, reconstruction_only_epochs=0)
    return replace(tiny_config, finetune=frozen, detector=request.param)


@pytest.fixture
def make(config):
    encoder = load_encoder(config.encoder)

    def made():
        return make_detector(encoder, config, normals=images(7), rotation_deg=0.0, device="cpu")

    return made


def train(detector, config, folder, stop_after=10**6):
    checkpoint, asked = Checkpoint(folder, "detector"), iter(range(10**6))
    rows = train_detector(
        detector,
        detector_iterations(config),
        checkpoint=checkpoint,
        should_stop=lambda: next(asked) >= stop_after,
    )
    return list(rows), checkpoint


def same(one: Detection, other: Detection) -> bool:
    if one.own_scores is not None and not np.array_equal(one.own_scores, other.own_scores):
        return False
    return np.array_equal(one.distances, other.distances)


def test_it_is_a_detector_that_measures_and_scores_every_patch(make, config, tmp_path):
    detector = make()
    rows, checkpoint = train(detector, config, tmp_path)
    found = detector.detect(images(3, seed=1).pixels)

    assert isinstance(detector, Detector)
    assert detector.failure_hint.endswith(".")
    assert checkpoint.is_finished
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    assert found.distances.shape[0] == 3
    assert found.distances.ndim == 4
    assert found.distances.dtype == np.float32
    assert np.isfinite(found.distances).all()
    assert found.own_scores is None or found.own_scores.shape == (3,)


def test_a_stop_in_the_middle_changes_nothing(make, config, tmp_path):
    whole, others = make(), images(3, seed=1).pixels
    rows, _ = train(whole, config, tmp_path / "whole")
    stop_after = min(2, detector_iterations(config) - 1)
    _, stopped = train(make(), config, tmp_path / "parts", stop_after)
    assert not stopped.is_finished

    again = make()
    assert train(again, config, tmp_path / "parts")[0] == rows
    assert same(again.detect(others), whole.detect(others))


def test_its_last_state_detects_as_it_does(make, config, tmp_path):
    detector, other, others = make(), make(), images(3, seed=1).pixels
    train(detector, config, tmp_path)
    other.load(detector.state(is_finished=True))

    assert same(other.detect(others), detector.detect(others))


def test_what_others_have_read_gives_the_same_numbers(make, config, tmp_path):
    alone, given, others = make(), make(), images(3, seed=1).pixels
    train(alone, config, tmp_path / "alone")
    assert given.features.is_static
    given.features.known = given.features.feature_reader.of_all(given.features.samples.pixels)
    train(given, config, tmp_path / "given")

    read = given.features.feature_reader.of_all(others)
    assert same(given.detect(others, read), alone.detect(others))


def test_it_leaves_its_encoder_alone(config, tmp_path):
    encoder = load_encoder(config.encoder)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    detector = make_detector(encoder, config, normals=images(5), rotation_deg=0.0, device="cpu")
    train(detector, config, tmp_path)

    assert all(torch.equal(before[n], tensor) for n, tensor in encoder.state_dict().items())


@pytest.fixture(params=["dinomaly", "vitad"])
def decoder_with(request, tiny_config, image_set):
    """Untrained decoders of one config with other augmentation, by settings of `decoder`."""

    def make(shown=image_set, **settings):
        decoder = replace(tiny_config.decoder, **settings)
        scored = PostprocessConfig(margin_px=0, leave_out_masked_patches=True)
        changed = replace(tiny_config, detector=request.param, decoder=decoder, postprocess=scored)
        encoder = load_encoder(changed.encoder)
        return changed, make_detector(
            encoder, changed, normals=shown, rotation_deg=0.0, device="cpu"
        )

    return make


@pytest.fixture
def image_set():
    return images(7)


@pytest.mark.parametrize("settings", [{"flip": True}, {"brightness_jitter": 0.3}])
def test_an_augmented_decoder_sees_other_images_and_goes_on_where_it_stopped(
    decoder_with, settings, tmp_path
):
    others = images(3, seed=1).pixels
    _, plain = decoder_with()
    config, whole = decoder_with(**settings)
    assert plain.features.is_static
    assert not whole.features.is_static
    rows, _ = train(whole, config, tmp_path / "whole")
    train(plain, config, tmp_path / "plain")
    assert not same(whole.detect(others), plain.detect(others))

    _, first = decoder_with(**settings)
    train(first, config, tmp_path / "parts", stop_after=3)
    _, again = decoder_with(**settings)
    assert train(again, config, tmp_path / "parts")[0] == rows
    assert same(again.detect(others), whole.detect(others))


def test_decoders_are_shown_flips_with_their_masks_and_another_brightness(decoder_with, image_set):
    _, plain = decoder_with()
    assert plain.augmented(image_set, 3) is image_set
    _, flipped = decoder_with(flip=True)
    marked = replace(image_set, masks=image_set.pixels[..., 0] > 127)
    shown = [flipped.augmented(marked, number) for number in range(40)]
    assert len({batch.pixels.tobytes() for batch in shown}) == 8
    assert all(((batch.pixels[..., 0] > 127) == batch.masks).all() for batch in shown)
    _, brightened = decoder_with(brightness_jitter=0.3)
    means = {float(brightened.augmented(image_set, number).pixels.mean()) for number in range(9)}
    assert len(means) == 9


@pytest.mark.parametrize("settings", [{}, {"flip": True}])
def test_a_decoders_loss_leaves_out_the_patches_that_the_mask_touches(
    decoder_with, image_set, settings
):
    roi = np.ones_like(image_set.masks)
    roi[:, :, 20] = False  # the second column of patches, in every way of a flip another one
    shown, batch = replace(image_set, roi=roi), np.arange(3)
    part, on = [slice(0, 3)], {"leave_out_masked_patches": True}

    def answered(detector):
        seen = []
        loss = detector.decoder.loss

        def record(targets, outputs, **more):
            seen.append((targets.abs().sum(dim=(0, 3)) == 0, outputs.abs().sum(dim=(0, 3)) == 0))
            return loss(targets, outputs, **more)

        detector.decoder.loss = record
        found = detector.accumulate_gradient(batch, 3, part)
        return found, seen[0]

    _, detector = decoder_with(shown, **settings, **on)
    found, (targets, outputs) = answered(detector)
    augmented = detector.augmented(take(shown, batch, with_roi=True), 3)
    side = 64 // detector.encoder.patch_px
    cells = ~augmented.roi.reshape(3, side, 64 // side, side, 64 // side).all(axis=(2, 4))
    assert cells.sum() == 3 * side
    assert np.array_equal(targets.numpy(), cells.reshape(3, -1))
    assert np.array_equal(outputs.numpy(), cells.reshape(3, -1))

    plain, (targets, _) = answered(decoder_with(shown, **settings)[1])
    assert not targets.any()
    assert plain != found
    everything = answered(decoder_with(image_set, **settings, **on)[1])[0]
    assert everything == plain  # to the last bit


def test_a_decoder_without_an_untouched_patch_is_refused(decoder_with, image_set):
    nothing = replace(image_set, roi=np.zeros_like(image_set.masks))
    with pytest.raises(
        TrialFailedError, match=r"decoder\.leave_out_masked_patches leaves no patch"
    ):
        decoder_with(nothing, leave_out_masked_patches=True)
