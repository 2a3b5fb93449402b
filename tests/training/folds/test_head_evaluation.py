from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from bearing_search.data.dataset import load_data_set
from bearing_search.data.split import make_folds
from bearing_search.models.encoders.encoder import load_encoder
from bearing_search.models.finetuning.multitask import MultiTaskModel
from bearing_search.training.folds.fold_data import prepare_fold
from bearing_search.training.folds.fold_plan import PartPlan
from bearing_search.training.folds.head_evaluation import (
    head_pictures,
    held_out_patch_metrics,
    patch_scores,
    reconstructions,
)
from bearing_search.training.images import to_input, to_pixels


@pytest.fixture
def config(tiny_config):
    return replace(tiny_config, encoder=replace(tiny_config.encoder, name="test_vit"))


@pytest.fixture
def fold(make_set, config, tmp_path):
    samples = load_data_set(make_set()).samples("train")
    fold = make_folds(samples, config.split)[0]
    plan = PartPlan(part="plate", key="plate/fold0", train=fold.train, held_out=fold.held_out)
    return prepare_fold(plan, config, is_validation=True, cache=tmp_path / "cache")


@pytest.fixture
def model(config):
    torch.manual_seed(0)
    return MultiTaskModel(load_encoder(config.encoder), config.finetune)


def test_bytes_survive_the_way_to_the_encoder_and_back():
    pixels = np.random.default_rng(0).integers(0, 255, (2, 4, 4, 3)).astype(np.uint8)
    assert (to_pixels(to_input(pixels, "cpu")) == pixels).all()


def test_an_untrained_head_that_answers_nothing_shows_the_mean_colour(model, fold):
    torch.nn.init.zeros_(model.heads["reconstruction"].project.weight)
    rebuilt = reconstructions(model, fold.normals.pixels, "cpu")
    assert rebuilt.shape == fold.normals.pixels.shape
    assert rebuilt[0, 0, 0].tolist() == [124, 116, 104]  # ImageNet's mean


def test_scores_are_the_difference_of_the_logits_on_the_grid(model, fold):
    scores = patch_scores(model, fold.held_out.images.pixels, "cpu")
    with torch.no_grad():
        logits, _ = model.classify(to_input(fold.held_out.images.pixels, "cpu"))
    expected = (logits[..., 1] - logits[..., 0]).reshape(scores.shape)
    assert scores == pytest.approx(expected.numpy(), abs=2e-2)  # bf16 where it is native


def test_held_out_metrics_are_of_anomalous_samples_only(model, fold, config, monkeypatch):
    asked = []

    def perfect(model, pixels, device):
        asked.append(len(pixels))
        masks = fold.held_out.images.masks[fold.held_out.is_anomalous]
        return masks.reshape(len(masks), 4, 16, 4, 16).any(axis=(2, 4)).astype(float)

    monkeypatch.setattr("bearing_search.training.folds.head_evaluation.patch_scores", perfect)
    found = held_out_patch_metrics(model, fold, config, "cpu")
    assert found == {"patch_ap": 1.0, "patch_auroc": 1.0}
    assert asked == [fold.held_out.is_anomalous.sum()]


def test_patches_that_training_left_out_are_in_no_held_out_metric(model, fold, config, monkeypatch):
    def wrong_in_the_first_row(model, pixels, device):
        masks = fold.held_out.images.masks[fold.held_out.is_anomalous]
        scores = masks.reshape(len(masks), 4, 16, 4, 16).any(axis=(2, 4)).astype(float)
        scores[:, 0] = 2
        return scores

    name = "bearing_search.training.folds.head_evaluation.patch_scores"
    monkeypatch.setattr(name, wrong_in_the_first_row)
    roi = np.ones_like(fold.held_out.roi)
    roi[:, 15] = False
    black = replace(fold, held_out=replace(fold.held_out, roi=roi))
    left_out = replace(config, finetune=replace(config.finetune, leave_out_masked_patches=True))

    assert held_out_patch_metrics(model, black, config, "cpu")["patch_ap"] < 1
    assert held_out_patch_metrics(model, black, left_out, "cpu")["patch_ap"] == 1


def test_without_held_out_defects_the_metrics_are_undefined(model, fold, config):
    normal = replace(fold.held_out, is_anomalous=np.zeros_like(fold.held_out.is_anomalous))
    found = held_out_patch_metrics(model, replace(fold, held_out=normal), config, "cpu")
    assert all(np.isnan(value) for value in found.values())


@pytest.mark.parametrize(("fusion", "times"), [("channels", 1), ("score_mean", 3)])
def test_the_pictures_show_training_and_held_out_samples(
    model, fold, config, tmp_path, fusion, times
):
    head_pictures(model, fold, replace(config, fusion=fusion), "cpu", folder=tmp_path)
    for kind, columns in (("reconstruction", 3), ("patches", 2)):
        height, width, _ = cv2.imread(str(tmp_path / f"{kind}_plate.png")).shape
        # two normal and two anomalous samples of either side
        assert (height - 24) // 226 == 8 * times
        assert width == 176 + columns * 226


@pytest.mark.parametrize(
    ("reconstruction_only", "drawn"),
    [(0, ["patches_plate.png"]), (3, ["reconstruction_plate.png"])],
)
def test_a_head_that_never_learned_is_not_shown(
    model, fold, config, tmp_path, reconstruction_only, drawn
):
    finetune = replace(
        config.finetune,
        reconstruction_only_epochs=reconstruction_only,
        alternation_period=3,  # of 3 epochs: one task alone
    )
    alone = replace(config, finetune=finetune)
    head_pictures(model, fold, alone, "cpu", folder=tmp_path / "drawn")
    assert [file.name for file in (tmp_path / "drawn").iterdir()] == drawn
    assert bool(held_out_patch_metrics(model, fold, alone, "cpu")) == (reconstruction_only == 0)
