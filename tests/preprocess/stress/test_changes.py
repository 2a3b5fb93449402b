import math

import cv2
import numpy as np
import pytest

from bearing_search.preprocess.shapes import Circle, Ellipse
from bearing_search.preprocess.stress.changes import (
    changes_of,
    light_from_side,
    mean_profile,
    move_highlight,
    rotate,
)
from bearing_search.preprocess.stress.frame import frame_of

CIRCLE = Circle(x=79.5, y=79.5, radius=60.0)
FRAME = frame_of(CIRCLE, width=160, height=160)


def ring(bright_at_deg: float, marks: float = 0.0) -> np.ndarray:
    """A ring of grey 100 with a soft highlight of grey 180, and fine marks."""
    angle, level = FRAME.polar_grid(160, 160)
    glint = 80 * np.exp(np.cos(angle - math.radians(bright_at_deg)) * 8 - 8)
    fine = marks * np.random.default_rng(0).standard_normal((160, 160))
    image = np.where((level > 0.6) & (level < 1), 100 + glint + fine, 20)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("angle_deg", [90, 180])
def test_a_moved_highlight_is_the_ring_lit_from_there(angle_deg):
    (moved,) = move_highlight([ring(30)], FRAME, angle_deg=angle_deg)
    expected = ring(30 + angle_deg)
    difference = np.abs(moved.astype(float) - expected)
    assert difference.mean() < 0.5
    assert np.quantile(difference, 0.98) < 6  # the edges are sharper than the smoothing
    assert np.abs(ring(30).astype(float) - expected).max() > 60


def test_marks_stay_where_they_are_when_the_highlight_moves():
    marked, plain = ring(30, marks=6.0), ring(30)
    moved = move_highlight([marked], FRAME, angle_deg=180)[0].astype(float)
    expected = ring(210).astype(float)
    inside = plain > 90
    own = (marked.astype(float) - plain)[inside]
    assert np.corrcoef(own, (moved - expected)[inside])[0, 1] > 0.9


def test_every_brightness_level_and_colour_is_changed_alike():
    grey = ring(30)
    colour = np.dstack([grey, grey, grey // 2])
    for name, change in changes_of(CIRCLE).items():
        bright, dark = change([grey, grey // 4], FRAME)
        (coloured,) = change([colour], FRAME)
        assert dark.mean() == pytest.approx(bright.mean() / 4, rel=0.05), name
        assert dark.shape == grey.shape, name
        assert coloured.shape == colour.shape, name
        assert dark.dtype == coloured.dtype == np.uint8


def test_exposure_blur_and_jpeg_change_what_they_say():
    image = ring(30, marks=6.0)
    changed = {name: change([image], FRAME)[0] for name, change in changes_of(CIRCLE).items()}
    assert changed["exposure +20%"].mean() / image.mean() == pytest.approx(1.2, abs=0.01)
    assert changed["exposure -20%"].mean() / image.mean() == pytest.approx(0.8, abs=0.01)
    sharpness = {name: cv2.Laplacian(one, cv2.CV_64F).std() for name, one in changed.items()}
    assert sharpness["blur 1 px"] < 0.4 * cv2.Laplacian(image, cv2.CV_64F).std()
    loss = np.abs(changed["JPEG 75"].astype(float) - image)
    assert 0 < loss.mean() < 6


def test_a_picture_turns_clockwise_about_the_part():
    (turned,) = rotate([ring(30)], FRAME, angle_deg=10.0)
    assert np.abs(turned.astype(float) - ring(40)).mean() < 1.5


def test_light_from_the_side_brightens_that_side_and_keeps_the_mean():
    flat = np.full((60, 80), 100, dtype=np.uint8)
    frame = frame_of(None, width=80, height=60)
    (lit,) = light_from_side([flat], frame, angle_deg=0)
    assert lit[30, 79] == 125
    assert lit[30, 0] == 75
    assert lit.mean() == pytest.approx(100, abs=0.1)


def test_only_concentric_parts_have_a_highlight_that_moves():
    oblique = Ellipse(x=40, y=30, semi_major=30, semi_minor=20, angle_deg=0)
    assert list(changes_of(CIRCLE))[:2] == ["highlight +90 deg", "highlight +180 deg"]
    for shape in (oblique, None):
        assert list(changes_of(shape))[:2] == ["side light 0 deg", "side light 180 deg"]
        assert list(changes_of(shape))[2:] == list(changes_of(CIRCLE))[2:]


def test_the_profile_is_the_mean_over_all_angles():
    profile, levels = mean_profile(ring(30), FRAME)
    middle = profile[(levels > 0.7) & (levels < 0.9)]
    assert middle.mean() == pytest.approx(ring(30)[ring(30) > 90].mean(), rel=0.03)
    assert profile[(levels > 1.1) & (levels < 1.3)].mean() == pytest.approx(20, abs=1)
