from dataclasses import replace

import cv2
import numpy as np
import pytest

from bearing_search.config import PreprocessConfig
from bearing_search.data.dataset import load_data_set
from bearing_search.data.drawn_defects import DefectSizes
from bearing_search.data.samples import Sample
from bearing_search.preprocess.cached_detection import detect_sample
from bearing_search.preprocess.image_cache import content_of
from bearing_search.preprocess.pipeline import NoRoi, fit_reference, kept_pixels
from bearing_search.training.folds.drawing import (
    Drawing,
    drawing_digest,
    measured_sizes,
    with_defects,
)
from bearing_search.training.folds.final_plans import final_plans
from bearing_search.training.folds.fold_data import prepare_fold
from bearing_search.training.folds.fold_plan import validation_plans


@pytest.fixture
def large(tmp_path):
    """Six normal plates of 480 px, without any defect in train."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 1)):
        folder = tmp_path / "large/plate" / split / "good"
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = np.clip(rng.normal(110, 4, (480, 480)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"s{number}.png"), pixels)
    return tmp_path / "large"


@pytest.fixture
def fold_at(large, tiny_config, tmp_path):
    """The first fold, with other settings of the encoder, of the trial or of the protocol."""

    def prepare(input_px=64, seed=0, folds=2, split_seed=0, **protocol):
        config = replace(
            tiny_config,
            seed=seed,
            encoder=replace(tiny_config.encoder, input_px=input_px),
            split=replace(tiny_config.split, folds=folds, seed=split_seed),
            protocol=replace(tiny_config.protocol, **protocol),
        )
        plans = validation_plans(config, load_data_set(large).samples("train"))
        return prepare_fold(plans[0].parts[0], config, is_validation=True, cache=tmp_path / "cache")

    return prepare


def test_the_same_defects_are_seen_at_every_size_of_the_input_and_under_every_seed(fold_at):
    coarse, fine, seeded = fold_at(32), fold_at(480), fold_at(32, seed=7)

    assert coarse.drawing == fine.drawing == seeded.drawing != ""
    assert coarse.held_out.is_anomalous.tolist() == [True, False, True]
    assert (coarse.held_out.map_masks == fine.held_out.map_masks).all()
    assert [s.defect for s in coarse.held_out.samples] == ["synthetic", "good", "synthetic"]
    assert coarse.drawn_sizes == "sides of 4 px to 10% of the image, a prior"


def test_a_small_defect_fades_where_the_input_is_coarse(fold_at):
    """What is drawn in pixels of the input would be as clear at 32 px as at 480."""
    contrasts = {}
    for input_px in (32, 480):
        held_out = fold_at(input_px, drawn_defect_px=(5.0, 6.0)).held_out
        pixels, masks = held_out.images.pixels.astype(float), held_out.images.masks
        contrasts[input_px] = np.mean(
            [abs(pixels[n][masks[n]].mean() - pixels[n][~masks[n]].mean()) for n in (0, 2)]
        )
    assert contrasts[480] > 20
    assert contrasts[32] < contrasts[480] / 3


def test_other_sizes_or_another_split_are_another_drawing(fold_at):
    first, larger, split = fold_at(), fold_at(drawn_defect_px=(40.0, 50.0)), fold_at(split_seed=5)
    assert len({first.drawing, larger.drawing, split.drawing}) == 3
    areas = [found.held_out.images.masks.sum() for found in (first, larger)]
    assert 2 * (45 / 480 * 64) ** 2 * 0.6 < areas[1] < 2 * (50 / 480 * 64 + 2) ** 2 * 1.6
    assert areas[0] < areas[1]
    assert larger.drawn_sizes == "sides of 40 to 50 px, as configured"


def test_defects_to_train_on_are_others_and_follow_the_seed(fold_at):
    one, other = fold_at(), fold_at(seed=3)
    assert len(one.anomalous) == len(one.normals) == 3
    assert one.anomalous.masks.any(axis=(1, 2)).all()
    assert not (one.anomalous.masks == other.anomalous.masks).all()
    assert (one.normals.pixels == other.normals.pixels).all()


def test_sizes_are_taken_from_the_masks_of_other_parts(make_set, tiny_config, tmp_path):
    root = make_set(parts=("left", "right"), levels=1)
    for file in (root / "right/train/dent").iterdir():
        file.unlink()
    train = load_data_set(root).samples("train")

    per_part = {p.part: p for plan in validation_plans(tiny_config, train) for p in plan.parts}

    assert {s.title for s in per_part["right"].measured} == {
        s.title for s in train if s.is_anomalous
    }
    assert per_part["right"].measured_to_train == per_part["right"].measured
    assert per_part["left"].measured == per_part["left"].measured_to_train == ()
    fold = prepare_fold(
        per_part["right"], tiny_config, is_validation=True, cache=tmp_path / "cache"
    )
    sides = [one.side_px for one in measured_sizes(per_part["right"].measured, tmp_path / "cache")]
    assert len(sides) == 4
    assert fold.drawn_sizes.startswith("sides as in 4 regions of real masks of other parts")

    final = final_plans(tiny_config, load_data_set(root))
    assert [len(p.measured_to_train) for plan in final for p in plan.parts] == [0, 4]


def test_training_sees_no_size_of_a_defect_that_is_held_out_with_it(make_set, tiny_config):
    root = make_set(parts=("left", "right"), levels=1)
    for file in (root / "right/train/dent").iterdir():
        file.unlink()
    together = replace(tiny_config, scope="multi_part")
    for plan in validation_plans(together, load_data_set(root).samples("train")):
        held_out = {sample for part in plan.parts for sample in part.held_out}
        right = plan.parts[1]
        assert len(right.measured) == 4
        assert 0 < len(right.measured_to_train) < 4
        assert not held_out & {*right.measured_to_train}


def ring(folder, name, *, radius=60, centre=(120, 118)):
    image = np.full((240, 240), 30, np.uint8)
    cv2.circle(image, centre, radius, 190, -1, cv2.LINE_AA)
    cv2.circle(image, centre, radius - 20, 30, -1, cv2.LINE_AA)
    noisy = image + np.random.default_rng(0).normal(0, 2, image.shape)
    cv2.imwrite(str(folder / f"{name}.png"), np.clip(noisy, 0, 255).astype(np.uint8))
    return Sample(
        part="LC",
        split="train",
        defect="good",
        name=name,
        group=name,
        is_anomalous=False,
        level_files=(folder / f"{name}.png",),
    )


def drawing(samples, tmp_path, half_width):
    circle = replace(
        PreprocessConfig().circle, radius_tolerance_px=6, ring_half_width_px=half_width
    )
    config = replace(PreprocessConfig(), circle=circle)
    return Drawing(
        reference=fit_reference(samples, config),
        config=config,
        sizes=DefectSizes(),
        seed=(0, 5),
        cache=tmp_path / "cache",
    )


def test_the_centre_lies_in_the_region_of_interest_and_stays_where_that_hardly_changes(tmp_path):
    samples = [ring(tmp_path, f"n{number}", centre=(120 + number, 118)) for number in range(5)]
    drawn = []
    for half_width in (24.0, 24.5, 6.0):
        how = drawing(samples, tmp_path, half_width)
        drawn.append(with_defects(samples, how, every=1))
        for clean, sample in zip(samples, drawn[-1], strict=True):
            column, row = sample.drawn.centre
            kept = kept_pixels(clean, how.reference, how.config)
            assert not isinstance(kept, NoRoi)
            assert kept[row, column]

    wide, same, narrow = drawn
    assert sum(a.drawn != b.drawn for a, b in zip(wide, same, strict=True)) <= 1
    assert drawing_digest(wide) != drawing_digest(narrow)


def test_a_sample_without_a_region_of_interest_stays_normal(tmp_path):
    samples = [ring(tmp_path, f"n{number}") for number in range(4)]
    other = ring(tmp_path, "small", radius=40)
    how = drawing(samples, tmp_path, 15.0)
    assert isinstance(kept_pixels(other, how.reference, how.config), NoRoi)

    for _ in range(2):  # computed, then read from the cache
        found = with_defects([other, *samples], how, every=2)
        assert [sample.is_anomalous for sample in found] == [False, False, True, False, True]


def test_preprocessing_sees_what_is_drawn(tmp_path):
    """A cached detection of the clean image is not taken for that of the drawn one."""
    sample = ring(tmp_path, "n0")
    how = drawing([sample], tmp_path, 24.0)
    [drawn] = with_defects([sample], replace(how, sizes=DefectSizes(range_px=(90, 100))), every=1)

    assert content_of(drawn) != content_of(sample)
    clean, seen = (
        detect_sample(one, "circle", how.config, tmp_path / "cache") for one in (sample, drawn)
    )
    assert clean != seen
