"""A picture is laid over another however it is turned, mirrored and scaled."""

import cv2
import numpy as np
import pytest

from bearing_search.data_checks.matching.images.registration import as_warp, mirror
from bearing_search.data_checks.matching.images.spectra import placings, shrunk
from tests.data_checks.conftest import SIDE, plate


def changed(image: np.ndarray, angle: float, scale: float, *, is_mirrored: bool):
    """The changed image, and the warp to it."""
    affine = as_warp(cv2.getRotationMatrix2D(((SIDE - 1) / 2,) * 2, angle, scale))
    warp = affine @ mirror(SIDE) if is_mirrored else affine
    return cv2.warpAffine(image, warp[:2], (SIDE, SIDE), flags=cv2.INTER_CUBIC), warp


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize(("angle", "scale"), [(0, 1.0), (37, 1.0), (180, 1.0), (-121, 0.8)])
def test_a_changed_picture_is_placed_to_a_few_pixels(angle, scale, is_mirrored):
    image = plate(3)
    copy, warp = changed(image, angle, scale, is_mirrored=is_mirrored)

    best = placings(shrunk(image), shrunk(copy))[0]

    corners = np.array([[40.0, 120, 40, 120], [40, 40, 120, 120], [1, 1, 1, 1]])
    assert np.abs((best.warp @ corners - warp @ corners)[:2]).max() < 4
    assert best.agreement > 0.4


def test_other_pictures_agree_less():
    copy, _ = changed(plate(3), 37, 1.0, is_mirrored=False)
    right, wrong = (placings(shrunk(plate(one)), shrunk(copy))[0].agreement for one in (3, 4))
    assert wrong < 0.4 < right


def test_the_best_placing_is_first():
    found = [one.agreement for one in placings(shrunk(plate(3)), shrunk(plate(4)))]
    assert found == sorted(found, reverse=True)
