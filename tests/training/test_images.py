import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.errors import TrialFailedError
from bearing_search.training.batching import brightness_factor, infinite_batches, shuffled_epoch
from bearing_search.training.images import (
    Images,
    brighten,
    by_brightness,
    concat,
    flip,
    require_untouched_patches,
    rotate,
    take,
    to_input,
)


@given(st.integers(1, 40), st.integers(1, 16), st.integers(0, 5))
def test_a_pass_shows_every_sample_once_and_drops_none(count, batch_size, seed):
    batches = shuffled_epoch(count, batch_size=batch_size, seed=(seed,))
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert max(len(batch) for batch in batches) <= batch_size


@given(st.integers(1, 20), st.integers(1, 16), st.integers(0, 5))
def test_endless_batches_are_full_and_show_all_samples_equally_often(count, batch_size, seed):
    size = min(count, batch_size)
    batches = [
        infinite_batches(i, count, batch_size=batch_size, seed=(seed,)) for i in range(count)
    ]
    assert {len(batch) for batch in batches} == {size}
    assert set(np.bincount(np.concatenate(batches), minlength=count)) == {size}


def test_a_quarter_turn_moves_the_mask_with_the_image():
    pixels = np.zeros((1, 9, 9, 3), dtype=np.uint8)
    masks = np.zeros((1, 9, 9), dtype=bool)
    pixels[0, 1, 4], masks[0, 1, 4] = 255, True  # top middle

    turned = rotate(Images(pixels=pixels, masks=masks), 90.0)  # counter-clockwise

    assert np.argwhere(turned.masks[0]).tolist() == [[4, 1]]
    assert np.argwhere(turned.pixels[0, ..., 0] > 127).tolist() == [[4, 1]]


def test_the_eight_flips_are_the_symmetries_of_a_square_and_move_the_mask_along():
    pixels = np.arange(27, dtype=np.uint8).reshape(1, 3, 3, 3)
    masks = pixels[..., 0] == 3  # upper edge, middle
    ways = [flip(Images(pixels=pixels, masks=masks), way) for way in range(8)]

    assert len({found.pixels.tobytes() for found in ways}) == 8
    assert all((found.pixels[..., 0] == 3).tolist() == found.masks.tolist() for found in ways)
    assert (ways[0].pixels == pixels).all()
    assert (ways[1].pixels == pixels[:, ::-1]).all()
    assert (ways[4].pixels == pixels.transpose(0, 2, 1, 3)).all()


def test_only_images_that_may_turn_are_turned():
    rng = np.random.default_rng(0)
    images = Images(
        pixels=rng.integers(0, 255, (3, 9, 9, 3)).astype(np.uint8),
        masks=rng.random((3, 9, 9)) > 0.5,
        is_rotatable=np.array([True, False, True]),
    )
    everything = rotate(Images(pixels=images.pixels, masks=images.masks), 30.0)

    turned = rotate(images, 30.0)

    assert (turned.pixels[[0, 2]] == everything.pixels[[0, 2]]).all()
    assert (turned.masks[[0, 2]] == everything.masks[[0, 2]]).all()
    assert (turned.pixels[1] == images.pixels[1]).all()
    assert (turned.masks[1] == images.masks[1]).all()


def test_what_an_image_is_follows_it_into_batches_and_brightness_levels():
    images = Images(
        pixels=np.zeros((2, 4, 4, 3), dtype=np.uint8),
        masks=np.zeros((2, 4, 4), dtype=bool),
        is_rotatable=np.array([True, False]),
    )
    assert take(images, np.array([1, 0, 1])).is_rotatable.tolist() == [False, True, False]
    assert by_brightness(images).is_rotatable.tolist() == [True] * 3 + [False] * 3
    assert concat([images, images]).is_rotatable.tolist() == [True, False, True, False]
    assert concat([images]) is images


def test_the_region_of_interest_follows_an_image_only_where_asked_for():
    roi = np.zeros((2, 9, 9), dtype=bool)
    roi[:, 1, 4] = True  # top middle
    images = Images(
        pixels=np.zeros((2, 9, 9, 3), dtype=np.uint8),
        masks=np.zeros((2, 9, 9), dtype=bool),
        roi=roi,
        is_rotatable=np.array([True, False]),
    )
    both = np.array([0, 1])
    assert take(images, both).roi is None
    taken = take(images, both, with_roi=True)
    assert [np.argwhere(one).tolist() for one in rotate(taken, 90.0).roi] == [[[4, 1]], [[1, 4]]]
    assert np.argwhere(flip(taken, 1).roi[0]).tolist() == [[7, 4]]
    assert np.argwhere(flip(taken, 4).roi[0]).tolist() == [[4, 1]]


def test_the_corners_of_a_turned_image_are_outside_its_region_of_interest():
    plain = Images(
        pixels=np.full((1, 8, 8, 3), 9, dtype=np.uint8), masks=np.zeros((1, 8, 8), dtype=bool)
    )
    turned = rotate(take(plain, np.array([0]), with_roi=True), 45.0)
    assert not turned.roi[0, [0, 0, 7, 7], [0, 7, 0, 7]].any()
    assert turned.roi[0, 2:6, 2:6].all()


def test_samples_without_an_untouched_patch_are_refused():
    roi = np.ones((3, 4, 4), dtype=bool)
    roi[0, 0, 0] = False
    roi[1, ::2] = False
    images = Images(
        pixels=np.zeros((3, 4, 4, 3), dtype=np.uint8),
        masks=np.zeros((3, 4, 4), dtype=bool),
        roi=roi,
    )
    with pytest.raises(TrialFailedError, match=r"x\.y leaves no patch of 1 of 3 samples"):
        require_untouched_patches(images, 2, setting="x.y")
    require_untouched_patches(take(images, np.array([0, 2]), with_roi=True), 2, setting="x.y")


def test_input_is_normalised_with_imagenets_statistics():
    grey = np.full((1, 2, 2, 3), 255, dtype=np.uint8)
    images = to_input(grey, "cpu")
    expected = torch.tensor([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])
    assert images.shape == (1, 3, 2, 2)
    assert images[0, :, 0, 0].tolist() == pytest.approx(expected.tolist(), rel=1e-6)


def test_brightness_is_a_factor_that_leaves_black_and_the_mask():
    grey = np.array([0, 100, 101, 250], dtype=np.uint8)
    images = Images(
        pixels=np.repeat(grey.reshape(1, 2, 2, 1), 3, axis=3), masks=grey.reshape(1, 2, 2) > 200
    )
    brighter = brighten(images, 1.25)
    assert brighter.pixels[0, ..., 2].ravel().tolist() == [0, 125, 126, 255]
    assert brighten(images, 0.5).pixels[0, ..., 0].ravel().tolist() == [0, 50, 50, 125]
    assert (brighter.masks == images.masks).all()
    assert brighten(images, 1.0) is images


def test_brightness_factors_reach_both_ends_of_their_range_and_come_again():
    factors = [brightness_factor(0.2, seed=(0, 10, number)) for number in range(200)]
    assert 0.8 <= min(factors) < 0.81
    assert 1.19 < max(factors) <= 1.2
    assert brightness_factor(0.2, seed=(0, 10, 7)) == factors[7]
    assert brightness_factor(0.0, seed=(0, 10, 7)) == 1.0
