from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from bearing_search.config import PostprocessConfig
from bearing_search.evaluation.anomaly_maps import PostprocessSpec, anomaly_maps, image_scores

SHARP = PostprocessSpec(
    detector="dinomaly",
    fusion="channels",
    input_px=32,
    map_px=16,
    postprocess=PostprocessConfig(smoothing_sigma_px=0.0),
)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def maps_of(distances, rendering=SHARP, **changes):
    postprocess = replace(rendering.postprocess, **changes)
    return anomaly_maps(distances, None, replace(rendering, postprocess=postprocess)).maps


@given(
    cells=st.integers(1, 9),
    input_px=st.integers(9, 70),
    map_px=st.integers(8, 70),
    seed=st.integers(0),
    detector=st.sampled_from(["dinomaly", "vitad", "patchcore", "padim", "subspace"]),
)
def test_enlarging_is_that_of_the_official_code(cells, input_px, map_px, seed, detector):
    distances = noise(2, 1, 3, cells, cells + 1, seed=seed)
    sharp = replace(SHARP, detector=detector, input_px=input_px, map_px=map_px)
    found = maps_of(distances, sharp)
    is_aligned = detector in ("dinomaly", "vitad")

    coarse = torch.from_numpy(distances).mean(dim=2)
    full = F.interpolate(
        coarse, size=(input_px, input_px), mode="bilinear", align_corners=is_aligned
    )
    expected = F.interpolate(full, size=(map_px, map_px), mode="bilinear", align_corners=False)
    assert found == pytest.approx(expected.squeeze(1).numpy(), abs=1e-5)


def test_dinomaly_smooths_with_a_five_pixel_gaussian_and_a_border_of_zeros():
    distances = noise(1, 1, 2, 4, 4)
    expected = ndimage.gaussian_filter(maps_of(distances)[0], sigma=4, radius=2, mode="constant")
    assert maps_of(distances, smoothing_sigma_px=4.0)[0] == pytest.approx(expected, abs=1e-6)


def test_the_other_detectors_smooth_with_scipys_gaussian():
    # as ViTAD's official code does; 256 px and sigma 4 there
    distances = noise(1, 1, 2, 4, 4)
    rendering = replace(SHARP, detector="vitad")
    expected = ndimage.gaussian_filter(maps_of(distances, rendering)[0], sigma=2)
    found = maps_of(distances, rendering, smoothing_sigma_px=2.0)
    assert found[0] == pytest.approx(expected, abs=1e-6)


@given(side=st.integers(1, 12), pool_px=st.integers(1, 14), seed=st.integers(0))
def test_a_pooled_maximum_is_that_of_the_official_code(side, pool_px, seed):
    maps = noise(2, side, side, seed=seed)
    rendering = replace(
        SHARP, postprocess=PostprocessConfig(image_score="pooled_max", pool_px=pool_px)
    )
    pooled = F.avg_pool2d(torch.from_numpy(maps)[:, None], min(pool_px, side), stride=1)
    assert image_scores(maps, rendering) == pytest.approx(pooled.amax((1, 2, 3)).numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("detector", "rule"),
    [("dinomaly", "top_share"), ("vitad", "pooled_max"), ("padim", "max"), ("patchcore", "max")],
)
def test_a_detector_has_its_own_image_score(detector, rule):
    maps = noise(3, 20, 20)
    own = replace(SHARP, detector=detector)
    asked = replace(own, postprocess=replace(SHARP.postprocess, image_score=rule))
    assert (image_scores(maps, own) == image_scores(maps, asked)).all()


def test_a_strange_patch_is_bright_where_it_lies():
    distances = np.zeros((1, 1, 1, 4, 4), dtype=np.float32)
    distances[0, 0, 0, 1, 3] = 1  # second row, last column
    place = np.unravel_index(maps_of(distances)[0].argmax(), (16, 16))
    assert place == (5, 15)  # corners aligned: row 1 of 4 lies at a third of 0..15


def test_layers_count_by_their_weight():
    distances = np.stack([np.full((1, 1, 4, 4), 1.0), np.full((1, 1, 4, 4), 5.0)], axis=2)
    assert maps_of(distances) == pytest.approx(3.0)
    assert maps_of(distances, layer_weights=(3.0, 1.0)) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="3 weights, the detector has 2 layers"):
        maps_of(distances, layer_weights=(1.0, 1.0, 1.0))


def test_brightness_maps_are_averaged_or_the_largest_counts():
    distances = np.stack([np.full((1, 1, 4, 4), value) for value in (1.0, 2.0, 6.0)], axis=1)
    own = np.array([[1.0, 2.0, 6.0]])
    mean = anomaly_maps(distances, own, replace(SHARP, fusion="score_mean"))
    highest = anomaly_maps(distances, own, replace(SHARP, fusion="score_max"))
    assert (mean.maps[0, 0, 0], mean.image_scores[0]) == pytest.approx((3.0, 3.0))
    assert (highest.maps[0, 0, 0], highest.image_scores[0]) == pytest.approx((6.0, 6.0))


def test_own_scores_count_only_where_they_are_asked_for():
    distances, own = noise(3, 1, 1, 4, 4), np.array([[7.0], [8.0], [9.0]])
    asked = anomaly_maps(distances, own, SHARP)
    other = replace(SHARP, postprocess=replace(SHARP.postprocess, image_score="max"))
    assert asked.image_scores.tolist() == [7, 8, 9]
    rendered = anomaly_maps(distances, own, other)
    assert (rendered.image_scores == rendered.maps.max(axis=(1, 2))).all()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"image_score": "top_share", "top_share": 0.03}, [98, 198]),
        ({"image_score": "top_share", "top_share": 0.001}, [99, 199]),
        ({"image_score": "top_share", "top_share": 1.0}, [49.5, 149.5]),
        ({"image_score": "max"}, [99, 199]),
        # the last square has rows 8, 9 and columns 8, 9
        ({"image_score": "pooled_max", "pool_px": 2}, [93.5, 193.5]),
        # the last square starts where no multiple of 3 does
        ({"image_score": "pooled_max", "pool_px": 3}, [88, 188]),
        ({"image_score": "pooled_max", "pool_px": 99}, [49.5, 149.5]),
    ],
)
def test_image_scores(settings, expected):
    maps = np.arange(200, dtype=np.float32).reshape(2, 10, 10)
    rendering = replace(SHARP, postprocess=PostprocessConfig(**settings))
    assert image_scores(maps, rendering).tolist() == expected
