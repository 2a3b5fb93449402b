import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bearing_search.errors import TrialFailedError
from bearing_search.models.encoders.encoder import load_encoder
from bearing_search.training.checkpoint import Checkpoint
from bearing_search.training.detection.detector import make_detector, train_detector
from bearing_search.training.finetuning.finetuner import Finetuner, FinetuneSamples
from bearing_search.training.finetuning.frozen_features import frozen_reader
from bearing_search.training.finetuning.loop import finetune
from bearing_search.training.images import Images
from bearing_search.training.plan import finetune_plan

SIDE = 64


def decoder_of(detector: Any) -> torch.nn.Module:
    return detector.decoder


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    pixels = rng.integers(60, 120, (5, SIDE, SIDE, 3)).astype(np.uint8)
    masks = np.zeros((5, SIDE, SIDE), dtype=bool)
    masks[:, 20:28, 20:28] = True
    return Images(pixels=pixels, masks=masks)


@pytest.fixture
def encoder(tiny_config):
    return load_encoder(tiny_config.encoder)


def tuning_of(encoder, config, images, *, rotation_deg=0.0, frozen=None):
    return Finetuner(
        encoder,
        copy.deepcopy(encoder),
        config,
        FinetuneSamples(normals=images, anomalous=images, rotation_deg=rotation_deg, frozen=frozen),
        seed=0,
        device="cpu",
    )


def rows_of(encoder, config, images, tmp_path, *, name="finetune", **more):
    finetuner = tuning_of(encoder, config, images, **more)
    plan = finetune_plan(config, num_normal=5, num_anomalous=5, seed=0)
    checkpoint = Checkpoint(tmp_path, name)
    return list(finetune(finetuner, plan, checkpoint=checkpoint, should_stop=lambda: False))


def test_the_perceptual_loss_starts_at_nothing(encoder, tiny_config, images, tmp_path):
    config = replace(tiny_config.finetune, epochs=1, batch_size=5)  # one iteration
    (row,) = rows_of(encoder, config, images, tmp_path)
    assert row["perceptual_loss"] == pytest.approx(0, abs=1e-3)
    assert row["reconstruction_loss"] == pytest.approx(
        row["perceptual_loss"] + row["pixel_loss"], abs=1e-6
    )


def test_frozen_maps_that_are_kept_are_those_that_would_be_made(
    encoder, tiny_config, images, tmp_path
):
    config = replace(tiny_config.finetune, epochs=3, reconstruction_only_epochs=3)
    frozen = frozen_reader(encoder, config.ssim_layers, device="cpu").of_all(images.pixels)
    kept = rows_of(copy.deepcopy(encoder), config, images, tmp_path, name="kept", frozen=frozen)
    made = rows_of(copy.deepcopy(encoder), config, images, tmp_path, name="made")
    for one, other in zip(kept, made, strict=True):
        assert one == pytest.approx(other, rel=1e-2, abs=1e-3)  # batches round differently in bf16


@pytest.mark.slow
def test_both_tasks_are_learned(encoder, tiny_config, images, tmp_path):
    config = replace(
        tiny_config.finetune,
        epochs=60,
        reconstruction_only_epochs=30,
        alternation_period=30,
        encoder_lr=1e-4,
        head_lr=1e-2,
    )
    rows = rows_of(encoder, config, images, tmp_path, rotation_deg=5.0)
    assert rows[29]["pixel_loss"] < 0.5 * rows[0]["pixel_loss"]
    assert rows[59]["patch_loss"] < 0.7 * rows[30]["patch_loss"]


def test_a_loss_that_is_no_number_fails_the_trial_with_the_iteration(
    encoder, tiny_config, images, tmp_path
):
    config = replace(tiny_config.finetune, encoder_lr=1e30, head_lr=1e30, epochs=8)
    with pytest.raises(
        TrialFailedError,
        match=r"fine-tuning: \w+ is not finite at iteration \d+ \(encoder lr 1e\+30\); "
        r"the last finite checkpoint is the start\. Lower finetune\.encoder_lr",
    ):
        rows_of(encoder, config, images, tmp_path)


def test_the_last_finite_checkpoint_is_named(encoder, tiny_config, images, tmp_path, monkeypatch):
    config = replace(tiny_config.finetune, epochs=6, batch_size=5)  # an iteration an epoch
    finetuner = tuning_of(encoder, config, images)
    sound = finetuner.iterate

    def breaks_at_4(number, step):
        if number == 4:
            next(finetuner.model.heads.parameters()).data.fill_(float("nan"))
        return sound(number, step)

    monkeypatch.setattr(finetuner, "iterate", breaks_at_4)
    stops = iter([False] * 3 + [True] + [False] * 9)
    plan = finetune_plan(config, num_normal=5, num_anomalous=5, seed=0)
    for expected in (3, None):
        checkpoint = Checkpoint(tmp_path, "finetune")
        rows = finetune(finetuner, plan, checkpoint=checkpoint, should_stop=lambda: next(stops))
        if expected:
            assert len(list(rows)) == expected
        else:
            with pytest.raises(
                TrialFailedError, match=r"at iteration 4 .*checkpoint is iteration 3\."
            ):
                list(rows)


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_encoder_keeps_a_share_of_the_way_it_went(
    encoder, tiny_config, images, tmp_path, share
):
    before = copy.deepcopy(encoder)
    whole, part = (copy.deepcopy(encoder) for _ in range(2))
    config = replace(tiny_config.finetune, encoder_lr=1e-3)
    rows_of(whole, config, images, tmp_path, name="whole")
    rows_of(part, replace(config, tuned_share=share), images, tmp_path, name="part")

    for start, end, kept in zip(*(e.parameters() for e in (before, whole, part)), strict=True):
        assert torch.allclose(kept, start + share * (end - start), atol=1e-6)
    stored = Checkpoint(tmp_path, "part").state["tuning"]["encoder"]
    assert all(torch.equal(value, stored[name]) for name, value in part.state_dict().items())


def test_broken_weights_are_never_kept(encoder, tiny_config, images):
    finetuner = tuning_of(encoder, tiny_config.finetune, images)
    next(encoder.parameters()).data.fill_(float("inf"))
    with pytest.raises(TrialFailedError, match="a weight is not finite"):
        finetuner.state()


@pytest.mark.parametrize("name", ["dinomaly", "vitad"])
def test_a_decoder_that_diverges_fails_the_trial_and_says_what_is_left(
    encoder, tiny_config, images, tmp_path, name
):
    decoder = replace(tiny_config.decoder, iterations=30, lr=1e30, final_lr=1e30)
    config = replace(tiny_config, detector=name, decoder=decoder)
    detector = make_detector(encoder, config, normals=images, rotation_deg=0.0, device="cpu")
    checkpoint = Checkpoint(tmp_path, "detector")
    with pytest.raises(
        TrialFailedError,
        match=r"detector: [\w ]+ is not finite at iteration \d+ \(decoder lr [15]e\+\d\d\); "
        r"the last finite checkpoint is the start\. Lower decoder\.lr\.",
    ):
        list(
            train_detector(
                detector,
                config.decoder.iterations,
                checkpoint=checkpoint,
                should_stop=lambda: False,
            )
        )


def test_the_last_finite_checkpoint_of_a_decoder_is_named(
    encoder, tiny_config, images, tmp_path, monkeypatch
):
    detector = make_detector(encoder, tiny_config, normals=images, rotation_deg=0.0, device="cpu")
    stops = iter([False] * 3 + [True])
    checkpoint = Checkpoint(tmp_path, "detector")
    list(
        train_detector(
            detector,
            tiny_config.decoder.iterations,
            checkpoint=checkpoint,
            should_stop=lambda: next(stops),
        )
    )
    sound = detector.iterate

    def breaks_at_4(number):
        if number == 4:
            next(decoder_of(detector).parameters()).data.fill_(float("nan"))
        return sound(number)

    monkeypatch.setattr(detector, "iterate", breaks_at_4)
    again = Checkpoint(tmp_path, "detector")
    with pytest.raises(
        TrialFailedError,
        match=r"decoder_loss is not finite at iteration 4 .*checkpoint is iteration 3\.",
    ):
        list(
            train_detector(
                detector,
                tiny_config.decoder.iterations,
                checkpoint=again,
                should_stop=lambda: False,
            )
        )


def test_broken_weights_of_a_decoder_are_never_kept(encoder, tiny_config, images):
    detector = make_detector(encoder, tiny_config, normals=images, rotation_deg=0.0, device="cpu")
    next(decoder_of(detector).parameters()).data.fill_(float("inf"))
    with pytest.raises(TrialFailedError, match="a weight is not finite"):
        detector.state()


@pytest.mark.parametrize("name", ["dinomaly", "vitad"])
def test_a_decoder_learns_and_leaves_the_encoder_alone(
    encoder, tiny_config, images, tmp_path, name
):
    before = copy.deepcopy(encoder.state_dict())
    decoder = replace(tiny_config.decoder, iterations=30)
    config = replace(tiny_config, detector=name, decoder=decoder)
    detector = make_detector(encoder, config, normals=images, rotation_deg=0.0, device="cpu")
    untrained = detector.detect(images.pixels).distances
    checkpoint = Checkpoint(tmp_path, "detector")
    rows = list(
        train_detector(
            detector, config.decoder.iterations, checkpoint=checkpoint, should_stop=lambda: False
        )
    )
    trained = detector.detect(images.pixels).distances

    assert len(rows) == 25
    assert rows[-1]["decoder_loss"] < 0.5 * rows[0]["decoder_loss"]
    assert trained.mean() < 0.5 * untrained.mean()
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
