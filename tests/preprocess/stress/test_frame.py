import math

import numpy as np
import pytest

from bearing_search.preprocess.shapes import Circle, Ellipse
from bearing_search.preprocess.stress.frame import frame_of

CIRCLE = Circle(x=40.0, y=30.0, radius=20.0)
ELLIPSE = Ellipse(x=40.0, y=30.0, semi_major=30.0, semi_minor=15.0, angle_deg=25.0)


@pytest.mark.parametrize("shape", [CIRCLE, ELLIPSE, None])
def test_a_place_is_found_again_from_its_pixel(shape):
    frame = frame_of(shape, width=80, height=60)
    angles, levels = np.linspace(0, 6.2, 20), np.linspace(0.05, 1.5, 20)
    found = frame.polar(*frame.point(angles, levels))
    assert found[0] == pytest.approx(angles)
    assert found[1] == pytest.approx(levels)


def test_angles_run_clockwise_from_the_right_and_level_1_is_the_outline():
    frame = frame_of(CIRCLE, width=80, height=60)
    assert [float(v) for v in frame.point(0.0, 1.0)] == [60.0, 30.0]
    assert [float(v) for v in frame.point(math.pi / 2, 0.5)] == pytest.approx([40.0, 40.0])
    assert frame.radius_px == pytest.approx(20.0)


def test_an_ellipse_has_its_boundary_at_level_1():
    levels = frame_of(ELLIPSE, width=80, height=60).polar(*ELLIPSE.boundary(36).T)[1]
    assert levels == pytest.approx(np.ones(36))


def test_a_picture_used_whole_has_its_sides_at_level_1():
    frame = frame_of(None, width=80, height=60)
    assert [float(v) for v in frame.point(0.0, 1.0)] == [79.5, 29.5]
    assert [float(v) for v in frame.point(-math.pi / 2, 1.0)] == pytest.approx([39.5, -0.5])
