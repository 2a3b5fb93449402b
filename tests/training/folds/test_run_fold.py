from dataclasses import replace

import cv2
import numpy as np
import pytest

from bearing_search.data.dataset import load_data_set
from bearing_search.data.split import make_folds
from bearing_search.errors import TrialFailedError
from bearing_search.evaluation.prediction_files import load_predictions
from bearing_search.training.detection.detection import Detection
from bearing_search.training.folds.fold_data import prepare_fold
from bearing_search.training.folds.fold_plan import PartPlan
from bearing_search.training.folds.scoring import score_fold
from bearing_search.training.images import by_brightness
from bearing_search.training.plots.heat_maps import heat_map_picture

SIDE = 160


def ring(centre=(80, 80), radius=50, dent=None, rng=None):
    image = np.full((SIDE, SIDE), 30, np.uint8)
    cv2.circle(image, centre, radius, 190, -1, cv2.LINE_AA)
    cv2.circle(image, centre, radius - 18, 30, -1, cv2.LINE_AA)
    if dent:
        cv2.circle(image, dent, 4, 90, -1)
    noisy = image.astype(float) + rng.normal(0, 2, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def write(root, split, kind, name, image, dents=()):
    folder = root / "LC" / split / kind
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{name}.png"), image)
    if kind != "good":
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for dent in dents:
            cv2.circle(mask, dent, 4, 255, -1)
        masks = root / "LC/ground_truth" / kind
        masks.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(masks / f"{name}_mask.png"), mask)


@pytest.fixture
def rings(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(6):
        centre = (78 + number % 3, 80 + number % 2)
        write(tmp_path, "train", "good", f"n{number}", ring(centre, rng=rng))
    for number in range(4):
        dent = (80 + 41, 80)
        write(tmp_path, "train", "dent", f"d{number}", ring(dent=dent, rng=rng), [dent])
    return tmp_path


def unit_of(root, config, tmp_path, *, half_width=22.0, fold=0):
    circle = replace(
        config.preprocess.circle, radius_tolerance_px=6.0, ring_half_width_px=half_width
    )
    config = replace(config, preprocess=replace(config.preprocess, circle=circle))
    samples = load_data_set(root).samples("train", "LC")
    chosen = make_folds(samples, config.split)[fold]
    plan = PartPlan(part="LC", key="LC/fold0", train=chosen.train, held_out=chosen.held_out)
    return prepare_fold(plan, config, is_validation=True, cache=tmp_path / "cache")


def test_a_unit_holds_the_rings_of_its_fold(rings, tiny_config, tmp_path):
    fold = unit_of(rings, tiny_config, tmp_path)
    assert (len(fold.normals), len(fold.anomalous)) == (3, 2)
    assert fold.held_out.is_anomalous.sum() == 2
    assert fold.held_out.map_masks[fold.held_out.is_anomalous].any(axis=(1, 2)).all()
    assert not fold.has_synthetic_defects
    assert fold.held_out.lost_regions.sum() == fold.held_out.unreachable_regions == 0
    assert fold.roi.found_share == 1
    assert fold.roi.instability_px < 1


def test_dents_that_the_roi_cuts_away_count_as_missed(rings, tiny_config, tmp_path):
    fold = unit_of(rings, tiny_config, tmp_path, half_width=2.0)
    assert fold.held_out.lost_regions.sum() == 2


@pytest.fixture
def blank():
    noise = np.random.default_rng(1).normal(30, 2, (SIDE, SIDE))
    return np.clip(noise, 0, 255).astype(np.uint8)


def test_a_sample_without_ring_is_listed_and_its_dents_count_as_missed(
    rings, tiny_config, tmp_path, blank
):
    write(rings, "train", "dent", "d3", blank, [(40, 40), (120, 40)])
    folds = [unit_of(rings, tiny_config, tmp_path, fold=fold) for fold in range(2)]

    held_out = [[sample.name for sample, _ in fold.held_out.no_roi] for fold in folds]
    dropped = [[sample.name for sample, _ in fold.dropped] for fold in folds]
    assert sorted(held_out) == sorted(dropped) == [[], ["d3"]]
    assert [u.held_out.unreachable_regions for u in folds] == [2 * len(h) for h in held_out]


def test_a_fold_without_any_usable_training_dent_fails_with_the_reason(
    rings, tiny_config, tmp_path, blank
):
    for number in range(4):
        write(rings, "train", "dent", f"d{number}", blank, [(40, 40)])
    with pytest.raises(TrialFailedError, match="LC: no anomalous training sample is left"):
        unit_of(rings, tiny_config, tmp_path)


def test_scores_are_kept_and_read_again(rings, tiny_config, tmp_path):
    fold = unit_of(rings, tiny_config, tmp_path)
    protocol, file = tiny_config.protocol, tmp_path / "scored.npz"
    grey = fold.held_out.images.pixels.astype(np.float32).mean(axis=3)
    cells = np.stack([cv2.resize(g, (16, 16)) for g in grey])
    found = Detection(distances=cells[:, None], own_scores=None)

    predictions = score_fold(fold.held_out, found, tiny_config, file=file)
    assert load_predictions(file).metrics(protocol) == predictions.metrics(protocol)
    assert predictions.roi.shape == predictions.masks.shape
    assert not predictions.roi.all()  # black corners
    assert not (predictions.masks & ~predictions.roi).any()
    picture = tmp_path / "picture.png"
    pixels = fold.held_out.images.pixels
    heat_map_picture(predictions, pixels, num_levels=3, is_mid_level=False, file=picture)
    height, width, _ = cv2.imread(str(picture)).shape
    # a head, two anomalous and two normal samples, a colour bar; captions, three levels, a map
    assert (height - 24) // 226 == 4
    assert width == 176 + 4 * 226


def test_without_fusion_every_brightness_has_its_own_map(rings, tiny_config, tmp_path):
    fold = unit_of(rings, tiny_config, tmp_path)
    config = replace(tiny_config, fusion="score_max")
    alone = by_brightness(fold.held_out.images).pixels
    assert (alone == alone[..., :1]).all()  # one brightness, in all three channels
    cells = np.stack([cv2.resize(p[..., 0], (16, 16)) for p in alone])
    found = Detection(distances=cells[:, None].astype(np.float32), own_scores=None)

    predictions = score_fold(fold.held_out, found, config, file=tmp_path / "scored.npz")
    expected = fold.held_out.images.pixels[1, ..., 2]  # the darkest image of the second sample
    assert predictions.distances.shape[:3] == (len(fold.held_out.samples), 3, 1)
    assert (predictions.distances[1, 2, 0] == cv2.resize(expected, (16, 16))).all()


def without_masks(root, *names):
    for name in names:
        (root / f"LC/ground_truth/dent/{name}_mask.png").unlink()
    return root


def test_the_patch_task_does_not_learn_from_defects_without_a_mask(rings, tiny_config, tmp_path):
    fold = unit_of(without_masks(rings, "d0", "d1"), tiny_config, tmp_path)

    (learned,) = fold.anomalous_samples
    assert learned.name in ("d2", "d3")
    positions = np.flatnonzero(~fold.held_out.has_mask)
    assert [fold.held_out.samples[one].name in ("d0", "d1") for one in positions] == [True]
    assert fold.held_out.is_anomalous.sum() == 2
    assert fold.unmasked == "1 of 2 in training, 1 of 2 held out"


def test_where_every_defect_has_a_mask_nothing_is_said(rings, tiny_config, tmp_path):
    fold = unit_of(rings, tiny_config, tmp_path)
    assert fold.unmasked == ""
    assert fold.held_out.has_mask.all()


def test_without_any_mask_it_learns_from_synthetic_defects_and_real_ones_are_held_out(
    rings, tiny_config, tmp_path
):
    fold = unit_of(without_masks(rings, "d0", "d1", "d2", "d3"), tiny_config, tmp_path)
    assert len(fold.anomalous) == len(fold.normals) == 3
    assert fold.anomalous.masks.any(axis=(1, 2)).all()
    assert not fold.has_synthetic_defects
    assert [s.defect for s in fold.held_out.samples if s.is_anomalous] == ["dent", "dent"]
    assert not fold.held_out.has_mask[fold.held_out.is_anomalous].any()
