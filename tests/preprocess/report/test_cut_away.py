import numpy as np
import pytest

from bearing_search.preprocess.circle.choice import ring_mask
from bearing_search.preprocess.locate import ShapeCandidates
from bearing_search.preprocess.report.cut_away import cut_away_share
from bearing_search.preprocess.shapes import Circle, Ellipse
from bearing_search.preprocess.window import Window

OUTLINE = Circle(x=200.0, y=160.0, radius=100.0)
BORE = Circle(x=201.0, y=160.0, radius=70.0)
WINDOW = Window(left=80, top=40, width=241, height=241)
CENTRE = (120.0, 120.0)


def candidates(*shapes):
    return ShapeCandidates(width=400, height=320, candidates=shapes, scale=1.0, is_uniform=False)


def share(roi_mask, shape=OUTLINE, found=(OUTLINE, BORE)):
    return cut_away_share(shape, roi_mask, WINDOW, candidates(*found))


def test_a_crop_that_holds_the_ring_cuts_nothing_away():
    assert share(ring_mask(241, CENTRE, inner=20, outer=120)) == pytest.approx(0, abs=0.01)
    assert share(np.ones((241, 241), dtype=bool), shape=None) == 0


def test_a_narrow_band_cuts_the_inner_part_of_the_ring_away():
    # of the area between 70 and 100 px, that between 70 and 80
    expected = (80**2 - 70**2) / (100**2 - 70**2)
    kept = ring_mask(241, CENTRE, inner=80, outer=120)
    assert share(kept) == pytest.approx(expected, abs=0.01)
    # without a bore, all of the disc
    assert share(kept, found=(OUTLINE,)) == pytest.approx(0.64, abs=0.01)
    beside = Circle(x=260.0, y=160.0, radius=30.0)
    assert share(kept, found=(OUTLINE, beside)) == pytest.approx(0.64, abs=0.01)


def test_what_lies_beyond_the_image_is_cut_away():
    kept = np.ones((241, 241), dtype=bool)
    kept[:, :121] = False
    assert share(kept) == pytest.approx(0.5, abs=0.01)


def test_an_ellipse_counts_with_its_whole_area():
    ellipse = Ellipse(x=200.0, y=160.0, semi_major=100.0, semi_minor=50.0, angle_deg=90.0)
    kept = np.ones((241, 241), dtype=bool)
    assert share(kept, shape=ellipse) == pytest.approx(0, abs=0.03)
    kept[:121] = False
    assert share(kept, shape=ellipse) == pytest.approx(0.5, abs=0.03)
