from dataclasses import replace

import cv2
import numpy as np
import pytest
from rich.console import Console

from bearing_search.config import DETECTORS, EncoderConfig, TrialConfig, parse
from bearing_search.data.dataset import load_data_set
from bearing_search.errors import ConfigError, DataError
from bearing_search.search_space.objectives import ObjectiveSpec, objective_spec
from bearing_search.session.preflight import check_counted, check_images, turned_light_findings

BY_WORK = objective_spec([{"val/pixel_aupro": "max"}, {"cost/train_gflop": "min"}], None)
BELOW = objective_spec(None, ["cost/train_gflop <= 100"])
GIANT = replace(TrialConfig(), encoder=EncoderConfig(name="vit_giant_patch14_dinov2"))


@pytest.mark.parametrize("asked", [BY_WORK, BELOW])
def test_a_search_by_the_work_of_training_needs_it_counted_for_every_setting(asked, monkeypatch):
    check_counted([TrialConfig()], asked)
    with pytest.raises(ConfigError, match=r"encoder\.name: vit_giant_patch14_dinov2 is not known"):
        check_counted([TrialConfig(), GIANT], asked)
    unknown = replace(DETECTORS["dinomaly"], counted="")
    monkeypatch.setitem(DETECTORS, "dinomaly", unknown)
    with pytest.raises(ConfigError, match=r"detector: dinomaly \(DetectorSpec\.counted\)"):
        check_counted([TrialConfig()], asked)


def test_other_searches_may_use_any_encoder():
    check_counted([GIANT], ObjectiveSpec())


def choosing(*levels) -> TrialConfig:
    return parse(TrialConfig, {"preprocess": {"levels": list(levels)}})


def test_levels_that_cannot_become_channels_are_found_before_anything_starts(make_set):
    samples = load_data_set(make_set(levels=4, normals=1, train_defects=1, tests=0)).all_samples
    quiet = Console(quiet=True)
    check_images(samples, quiet, [choosing(0, 1, 3), choosing("max")])
    with pytest.raises(DataError, match=r"plate: has 4 .* preprocess.levels.*\(2 such samples\)"):
        check_images(samples, quiet, [choosing(0, 1, 3), choosing()])
    with pytest.raises(DataError, match=r"preprocess\.levels names 4"):
        check_images(samples, quiet, [choosing(4)])


def test_a_part_whose_masks_are_all_empty_is_refused_before_anything_starts(make_set):
    root, quiet = make_set(levels=1, tests=0), Console(quiet=True)
    masks = sorted(root.glob("plate/ground_truth/dent/*"))
    for mask in masks[1:]:
        cv2.imwrite(str(mask), np.zeros((80, 80), np.uint8))
    check_images(load_data_set(root).all_samples, quiet)  # one is left
    cv2.imwrite(str(masks[0]), np.zeros((80, 80), np.uint8))
    with pytest.raises(DataError, match=r"plate: all masks .* in train \(4\) are empty"):
        check_images(load_data_set(root).all_samples, quiet)
    for mask in masks:
        mask.unlink()
    check_images(load_data_set(root).all_samples, quiet)


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ({}, "LC"),  # the paper's rotation
        ({"augment": {"rotated_parts": ["LC", "OD"]}}, "LC, OD"),
        ({"augment": {"rotation_deg": 0}}, ""),
        ({"augment": {"rotation_deg": 0}, "decoder": {"flip": True}}, "LC, OD"),
        ({"augment": {"rotation_deg": 0}, "finetune": {"flip": True}, "parts": ["OD"]}, "OD"),
        ({"augment": {"rotation_deg": 0}, "finetune": {"brightness_jitter": 0.2}}, ""),
        ({"detector": "padim", "finetune": {"epochs": 0, "reconstruction_only_epochs": 0}}, ""),
        ({"preprocess": {"levels": [1]}}, ""),  # one light
        ({"preprocess": {"levels": ["max"]}}, "LC"),
    ],
)
def test_turning_images_of_several_lights_is_a_warning(make_set, raw, parts):
    samples = load_data_set(make_set(parts=("LC", "OD"), normals=1, tests=0)).all_samples
    findings = turned_light_findings(samples, [parse(TrialConfig, raw)])
    assert [found.text.partition(":")[0] for found in findings] == ([parts] if parts else [])
    assert all(found.severity == "warning" for found in findings)


def test_one_image_a_sample_may_turn(make_set):
    samples = load_data_set(make_set(parts=("LC",), levels=1, normals=1, tests=0)).all_samples
    assert turned_light_findings(samples, [TrialConfig()]) == []
