import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bearing_search.data_checks.duplicates import near_copies
from bearing_search.data_checks.thumbnail import code, thumbnail_of, turned

from .conftest import SIDE, before_lamps, plate

OTHERS = range(1, 12)


def recompressed(image: np.ndarray, quality: int = 70) -> np.ndarray:
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)


@given(
    orientation=st.integers(0, 7),
    gain=st.floats(0.45, 1.15),
    offset=st.integers(-8, 8),
    cut=st.tuples(*[st.integers(0, 5)] * 4),
    quality=st.integers(70, 95),
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_copy_is_found_however_turned_lit_cropped_and_recompressed(
    index, orientation, gain, offset, cut, quality
):
    left, top, right, bottom = cut
    original = plate(0)
    cropped = original[top : SIDE - bottom, left : SIDE - right]
    lit = np.clip(cropped * gain + offset, 0, 255).astype(np.uint8)
    copy = recompressed(turned(lit, orientation), quality)

    found = near_copies(index([copy, original, *map(plate, range(1, 9))]), 0, OTHERS)

    assert [one.second for one in found] == [1]
    assert found[0].is_one_photograph
    assert np.array_equal(turned(turned(lit, orientation), found[0].orientation), lit)


def test_strangers_are_no_copies(index):
    images = index(map(plate, range(8)))
    assert not any(near_copies(images, owner, set(range(8)) - {owner}) for owner in range(8))


def test_before_one_background_only_the_part_itself_counts(index):
    discs = [before_lamps(seed) for seed in range(8)]
    together = index(discs)
    # the lamps alone make any two of them more than .9 alike
    first, second = (np.asarray(disc, float).ravel() for disc in discs[:2])
    assert np.corrcoef(first, second)[0, 1] > 0.9

    assert not any(near_copies(together, owner, set(range(8)) - {owner}) for owner in range(8))


def test_a_copy_before_one_background_is_found(index):
    discs = [before_lamps(seed) for seed in range(8)]
    copy = recompressed(np.ascontiguousarray(discs[3][:, ::-1]), 85)

    found = near_copies(index([copy, *discs]), 0, OTHERS)

    assert [one.second for one in found] == [4]


def test_two_of_one_background_alone_cannot_be_told_from_copies_and_are_not_called_so(index):
    assert near_copies(index([before_lamps(0), before_lamps(1)]), 0, {1}) == []


def test_the_same_thing_under_another_light_is_no_copy(index):
    images = [plate(0, light=-0.5), plate(0, light=0.5), *map(plate, range(1, 7))]

    (found,) = near_copies(index(images), 0, OTHERS)

    assert found.second == 1
    assert not found.is_one_photograph


def test_only_the_samples_in_question_are_found(index):
    images = index([plate(0), plate(0), plate(0), *map(plate, range(1, 6))])
    assert {one.second for one in near_copies(images, 0, {1})} == {1}


@pytest.mark.parametrize("orientation", range(8))
def test_a_hash_turns_with_its_image(orientation):
    image = plate(3).astype(np.float32)
    direct = code(np.ascontiguousarray(turned(image, orientation)))
    assert np.abs(direct - turned(code(image), orientation)).max() < 1e-4


@given(gain=st.floats(0.3, 1.0))
@settings(max_examples=10)
def test_a_hash_hardly_knows_the_gain(gain):
    image = plate(3).astype(np.float32)
    assert float((code(image) * code(gain * image)).sum()) > 0.97


def test_the_eight_orientations_are_all_there_are():
    image = np.arange(9).reshape(3, 3)
    assert len({turned(image, k).tobytes() for k in range(8)}) == 8


def test_an_image_that_shows_nothing_has_no_thumbnail():
    assert thumbnail_of(np.full((90, 90), 7, np.uint8), owner=0, level=2) is None
