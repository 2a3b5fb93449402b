from pathlib import Path

import cv2
import numpy as np
import pytest

from bearing_search.config import PreprocessConfig
from bearing_search.config.preprocess import CircleConfig
from bearing_search.data.dataset import load_data_set
from bearing_search.data.samples import Sample
from bearing_search.preprocess.pipeline import fit_reference
from bearing_search.preprocess.stress.changes import changes_of
from bearing_search.preprocess.stress.names import DENT_ANGLES, UNCHANGED
from bearing_search.preprocess.stress.stress_set import (
    MOST_DENTED,
    MOST_SAMPLES,
    chosen_samples,
    stress_set,
)

SIDE = 160


def sample(name: str, group: str, *, is_anomalous: bool = False) -> Sample:
    return Sample(
        part="LC",
        split="test",
        defect="dent" if is_anomalous else "good",
        name=name,
        group=group,
        is_anomalous=is_anomalous,
        level_files=(Path(f"{name}.png"),),
    )


def test_the_chosen_ones_are_normal_and_come_from_as_many_groups_as_there_are():
    twins = [sample(f"s{i:02}", f"g{i // 2}") for i in range(10)]
    defects = [sample(f"d{i}", f"d{i}", is_anomalous=True) for i in range(3)]
    chosen = chosen_samples([*twins, *defects])
    assert len(chosen) == MOST_SAMPLES
    assert not any(one.is_anomalous for one in chosen)
    assert {one.group for one in chosen[:5]} == {f"g{i}" for i in range(5)}


def test_of_many_groups_they_are_spread_over_all():
    many = [sample(f"s{i:03}", f"g{i:03}") for i in range(100)]
    chosen = chosen_samples(many[::-1])
    assert len(chosen) == MOST_SAMPLES
    assert (chosen[0].name, chosen[-1].name) == ("s000", "s099")
    assert chosen_samples(many) == chosen


@pytest.fixture
def rings(tmp_path):
    """Five normal rings of each split, and two with a marked dent in train."""
    rng = np.random.default_rng(0)
    for split, kind, count in (("train", "good", 5), ("train", "dent", 2), ("test", "good", 5)):
        for number in range(count):
            image = np.full((SIDE, SIDE), 30, np.uint8)
            centre = (78 + number % 3, 80 + number % 2)
            cv2.circle(image, centre, 50, 180, -1, cv2.LINE_AA)
            cv2.circle(image, centre, 32, 30, -1, cv2.LINE_AA)
            noisy = np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
            folder = tmp_path / "LC" / split / kind
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{split}{number}.png"), noisy)
            if kind == "dent":
                mask = np.zeros((SIDE, SIDE), np.uint8)
                cv2.circle(mask, (centre[0] + 40, centre[1]), 5, 255, -1)
                masks = tmp_path / "LC/ground_truth" / kind
                masks.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(masks / f"{split}{number}_mask.png"), mask)
    return load_data_set(tmp_path)


@pytest.fixture
def made(rings):
    config = PreprocessConfig(circle=CircleConfig(ring_half_width_px=22.0))

    def make(test, train=None):
        train = rings.samples("train", "LC") if train is None else train
        reference = fit_reference(train, config)
        return stress_set(test, train, reference, config, input_px=64, map_px=64)

    return make


def test_every_sample_is_there_with_every_change_and_the_first_with_dents(rings, made):
    found = made(chosen_samples(rings.samples("test", "LC")))
    changes = [UNCHANGED, *changes_of(None)][1:]
    kinds = [one.defect for one in found.samples]
    num_changes = 1 + len(changes)
    assert found.no_roi == ()
    assert len(kinds) == 5 * num_changes + MOST_DENTED * len(DENT_ANGLES)
    assert kinds.count(UNCHANGED) == kinds.count("JPEG 75") == 5
    assert {kinds.count(name) for name in DENT_ANGLES} == {MOST_DENTED}
    labels = [one.is_anomalous for one in found.samples]
    assert labels == [name in DENT_ANGLES for name in kinds]
    assert found.masks.any(axis=(1, 2)).tolist() == labels
    assert not found.lost_regions.any()
    assert len({one.title for one in found.samples}) == len(kinds)


def test_dents_have_the_level_of_the_marked_ones_and_twice_gives_the_same(rings, made):
    test = chosen_samples(rings.samples("test", "LC"))[:1]
    found, again = made(test), made(test)
    assert found.digest == again.digest
    masks = found.masks[[one.is_anomalous for one in found.samples]]
    centres = np.array([np.argwhere(mask).mean(axis=0) for mask in masks])
    distances = np.hypot(*(centres - 31.5).T)
    assert distances == pytest.approx(np.full(8, 40 * 64 / 145), abs=1.2)


def test_without_a_marked_defect_dents_lie_on_the_metal(rings, made):
    normal = [one for one in rings.samples("train", "LC") if not one.is_anomalous]
    found = made(chosen_samples(rings.samples("test", "LC"))[:1], normal)
    plain = found.images[0][..., 0]
    dented = [one.is_anomalous for one in found.samples]
    assert all(plain[mask].mean() > 120 for mask in found.masks[dented])


def test_a_sample_without_region_is_named_with_the_reason(rings, made, tmp_path):
    good = rings.samples("test", "LC")[0]
    cv2.imwrite(str(good.level_files[0]), np.full((SIDE, SIDE), 30, np.uint8))
    found = made([good, rings.samples("test", "LC")[1]])
    assert [(one.defect, one.name) for one, _ in found.no_roi] == [(UNCHANGED, good.name)]
    assert "shows nothing" in found.no_roi[0][1]
    assert {one.name for one in found.samples} == {rings.samples("test", "LC")[1].name}
