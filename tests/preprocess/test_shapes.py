import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.preprocess.ellipse.fit import ellipse_of_conic, fit, signed_distance
from bearing_search.preprocess.shapes import (
    OWN_BAND_PX,
    Circle,
    Ellipse,
    outside_share,
    owners_of_edges,
)

ellipses = st.builds(
    lambda x, y, minor, stretch, angle: Ellipse(
        x=x, y=y, semi_major=minor * stretch, semi_minor=minor, angle_deg=angle
    ),
    st.floats(-50, 50),
    st.floats(-50, 50),
    st.floats(10, 100),
    st.floats(1.1, 3),
    st.floats(0, 179),
)


@given(ellipses)
def test_an_ellipse_is_found_again_from_its_boundary(ellipse):
    found = fit(ellipse.boundary(60))
    assert found.x == pytest.approx(ellipse.x, abs=0.05)
    assert found.y == pytest.approx(ellipse.y, abs=0.05)
    assert found.semi_major == pytest.approx(ellipse.semi_major, rel=0.01)
    assert found.semi_minor == pytest.approx(ellipse.semi_minor, rel=0.01)
    turned = abs(found.angle_deg - ellipse.angle_deg)
    assert min(turned, 180 - turned) < 1.0


@given(ellipses, st.floats(-2, 2))
def test_distance_is_exact_to_first_order_along_the_normals(ellipse, off):
    points = ellipse.boundary(40) + off * ellipse.normals(40)
    distance, normals = signed_distance(points, ellipse)
    # second order: off^2 / (2 * smallest radius of curvature)
    slack = off**2 * ellipse.semi_major / ellipse.semi_minor**2 + 1e-6
    assert np.abs(distance - off).max() <= slack
    assert ((normals * ellipse.normals(40)).sum(axis=1) > 0.8).all()


def test_a_conic_and_its_ellipse_are_the_same():
    # (x - 1)^2 / 9 + (y - 2)^2 / 4 = 1, scaled so that the constant is 1
    scale = 1 - 1 / 9 - 4 / 4
    a, c, d, e = (value / scale for value in (1 / 9, 1 / 4, -2 / 9, -4 / 4))
    ellipse = ellipse_of_conic(np.array([a, 0.0, c, d, e]))
    assert ellipse is None  # the origin lies inside: a, c are negative with this sign of 1
    a, c, d, e = (value / 8 for value in (1 / 9, 1 / 4, 0.0, 0.0))
    ellipse = ellipse_of_conic(np.array([1 / 9, 0.0, 1 / 4, 0.0, 0.0]))
    assert (ellipse.semi_major, ellipse.semi_minor) == pytest.approx((3, 2))


def test_a_hyperbola_is_no_ellipse():
    assert ellipse_of_conic(np.array([1.0, 0.0, -1.0, 0.0, 0.0])) is None


def test_half_extent_is_that_of_the_boundary():
    ellipse = Ellipse(x=0, y=0, semi_major=30, semi_minor=10, angle_deg=25)
    boundary = ellipse.boundary(3600)
    assert ellipse.half_extent == pytest.approx(boundary.max(axis=0), rel=1e-4)


def test_a_circle_half_outside_has_half_its_boundary_outside():
    assert outside_share(Circle(x=-0.5, y=50, radius=20), 100, 100) == pytest.approx(0.5, abs=0.01)
    assert outside_share(Circle(x=50, y=50, radius=20), 100, 100) == 0.0


def test_resizing_keeps_the_corner_of_the_picture():
    # a circle around the first pixel's outer corner stays around it
    moved = Circle(x=-0.5, y=-0.5, radius=3).moved(4.0)
    assert (moved.x, moved.y, moved.radius) == (-0.5, -0.5, 12.0)


def test_a_shape_that_lives_on_the_edges_of_a_better_one_goes():
    edges = {1.0: {0, 1, 2, 3}, 2.0: {3, 4, 5}, 3.0: {2, 3}}  # by the radius that tells them apart
    circles = [
        Circle(x=0, y=0, radius=radius, coverage=covered)
        for radius, covered in ((3.0, 0.5), (2.0, 0.7), (1.0, 0.9))
    ]
    bands = []

    def near(circle, band):
        bands.append(band)
        return np.isin(np.arange(6), list(edges[circle.radius]))

    def coverage(own, circle):
        return own.sum() / len(edges[circle.radius])

    kept = owners_of_edges(circles, 6, near=near, coverage=coverage, min_coverage=0.6)
    # best covered first; edge 3 is taken from the second, edges 2 and 3 from the third
    assert [circle.radius for circle in kept] == [1.0, 2.0]
    assert set(bands) == {OWN_BAND_PX, 2 * OWN_BAND_PX}
