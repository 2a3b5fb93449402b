import math

import numpy as np
import pytest

from bearing_search.preprocess.shapes import Circle
from bearing_search.preprocess.stress.dents import CONTRAST, DentSpec, dent_like, press_dent
from bearing_search.preprocess.stress.frame import frame_of
from bearing_search.preprocess.stress.names import DENT_ANGLES

FRAME = frame_of(Circle(x=99.5, y=99.5, radius=80.0), width=200, height=200)
DENT = DentSpec(radius_px=6.0, level=0.75)


def disc(x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:200, :200]
    return np.hypot(columns - x, rows - y) <= radius


def test_a_dent_lies_at_its_angle_and_level_and_has_its_size():
    flat = np.full((200, 200), 100, dtype=np.uint8)
    for angle_deg in DENT_ANGLES.values():
        (dented,), mask = press_dent([flat], FRAME, DENT, angle_deg=angle_deg)
        rows, columns = np.nonzero(mask)
        angle, level = FRAME.polar(columns.mean(), rows.mean())
        assert math.remainder(float(angle) - math.radians(angle_deg), 2 * math.pi) == (
            pytest.approx(0, abs=0.01)
        )
        assert float(level) == pytest.approx(0.75, abs=0.01)
        assert mask.sum() == pytest.approx(math.pi * 36, rel=0.08)
        changed = dented.astype(float) - 100
        assert np.abs(changed[~mask]).max() < 25
        assert 40 < changed.max() <= 100 * CONTRAST
        assert changed.min() < -40


def test_it_is_the_same_dent_at_every_angle_and_relative_to_the_brightness():
    flat = np.full((200, 200), 200, dtype=np.uint8)
    dents = [
        press_dent([flat, flat // 4], FRAME, DENT, angle_deg=angle)[0] for angle in (0, 135, 270)
    ]
    spreads = [bright.astype(float).std() for bright, _ in dents]
    assert max(spreads) / min(spreads) == pytest.approx(1, abs=0.03)
    bright, dark = dents[0]
    unclipped = bright < 255
    assert dark[unclipped].astype(float) == pytest.approx(bright[unclipped] / 4, abs=0.7)


def test_it_takes_size_and_place_from_the_marked_ones():
    marked = [
        disc(99.5 + 56, 99.5, 4) | disc(99.5, 99.5 - 40, 2),  # the larger region counts
        disc(99.5, 99.5 + 60, 5),
        disc(99.5 - 64, 99.5, 6),
        np.zeros((200, 200), dtype=bool),
    ]
    dent = dent_like([(mask, FRAME) for mask in marked], FRAME, 0.5)
    assert dent.level == pytest.approx(0.75, abs=0.01)
    assert dent.radius_px == pytest.approx(5, abs=0.2)


def test_without_marked_ones_it_has_the_usual_size_and_place():
    nothing = np.zeros((200, 200), dtype=bool)
    for masks in ([], [(nothing, FRAME)]):
        dent = dent_like(masks, FRAME, 0.6)
        assert (dent.radius_px, dent.level) == (pytest.approx(0.03 * 80), 0.6)


@pytest.mark.parametrize(("radius", "expected"), [(1, 2.0), (40, 8.0)])
def test_its_size_has_limits(radius, expected):
    dent = dent_like([(disc(140, 99, radius), FRAME)], FRAME, 0.5)
    assert dent.radius_px == pytest.approx(expected)
