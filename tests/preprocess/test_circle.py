import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearing_search.config import CircleConfig, PreprocessConfig, parse
from bearing_search.errors import RoiNotFoundError
from bearing_search.preprocess.circle.choice import best_guess, choose_circle, ring_mask
from bearing_search.preprocess.locate import NoRoi, RoiReference, detect, estimate_reference, locate
from bearing_search.preprocess.shapes import Circle

from .conftest import draw_ring

CONFIG = PreprocessConfig()


def choose(candidates, *, mean=100.0, width=400, height=320, **settings):
    config = parse(CircleConfig, settings)
    return choose_circle(
        candidates, config, mean_radius_px=mean, width=width, height=height, image="LC_031"
    )


def found(image, *, geometry="circle", mean=100.0, config=CONFIG):
    reference = RoiReference(
        part="LC", geometry=geometry, num_samples=1, num_found=1, mean_radius_px=mean
    )
    return locate(image, detect(image, geometry, config), reference, config, name="LC_031")


def circle(x=200.0, y=160.0, radius=100.0, coverage=1.0):
    return Circle(x=x, y=y, radius=radius, coverage=coverage)


def test_the_most_central_of_the_largest_is_chosen():
    near, far = circle(x=195, radius=95), circle(x=110, y=150, radius=105)
    assert choose([far, near]) == near


def test_only_the_top_k_compete():
    large = circle(x=110, y=160, radius=105)
    small = circle(x=295, y=165, radius=85)
    assert choose([large, small], top_k=1) == large
    # with both, the second is as far from the centre: nobody can say which is meant
    with pytest.raises(RoiNotFoundError, match="two circles are equally close"):
        choose([large, small], top_k=2)


def test_of_circles_within_one_another_the_outermost_stands_for_them():
    outer, inner = circle(x=199.0, radius=105), circle(x=199.6, radius=90)
    assert choose([inner, outer]) == outer


def test_a_shadow_does_not_pass_for_the_outline():
    shadow, outline = circle(radius=112, coverage=0.55), circle(radius=100, coverage=0.98)
    assert choose([shadow, outline]) == outline


def test_a_circle_within_a_larger_outline_is_an_edge_inside_the_part():
    with pytest.raises(RoiNotFoundError) as error:
        choose([circle(radius=130), circle(radius=100)])
    assert str(error.value) == (
        "LC_031: the circle of radius 130.0 px at (200.0, 160.0) encloses the circle of radius "
        "100.0 px at (200.0, 160.0), so that one is an edge inside the part, although its radius "
        "is within 80 to 120 px. Photograph all parts at one scale, or widen "
        "preprocess.circle.radius_tolerance_px, now 20."
    )


@pytest.mark.parametrize(
    "other",
    [
        circle(radius=150, coverage=0.69),  # too faint for an outline
        circle(radius=121, x=60),  # encloses nothing
        circle(radius=70),  # the bore
    ],
)
def test_other_circles_outside_the_band_change_nothing(other):
    assert choose([other, circle()]) == circle()
    assert choose([circle(), other]) == circle()


@pytest.mark.parametrize("x", [200, 120])  # at 120, a part of the outline is outside the image
def test_a_larger_ring_is_no_roi_though_its_inner_edge_fits(x):
    outcome = found(draw_ring(x=x, radius=133))
    assert isinstance(outcome, NoRoi)
    assert "circle of radius 13" in outcome.reason
    assert "an edge inside the part" in outcome.reason


def test_no_plausible_radius_says_how_far_off_the_closest_is_and_what_to_set():
    with pytest.raises(RoiNotFoundError) as error:
        choose([circle(radius=50), circle(radius=30)])
    assert str(error.value) == (
        "LC_031: no circle with a radius of 80 to 120 px; found 2, the closest 50 px off. "
        "Widen preprocess.circle.radius_tolerance_px, now 20."
    )


def test_no_circle_at_all_is_said():
    with pytest.raises(RoiNotFoundError, match="found no circle at all"):
        choose([])


def test_a_ring_that_leaves_the_frame_is_named_as_such():
    with pytest.raises(
        RoiNotFoundError, match=r"extends beyond the image\. Photograph the whole part"
    ):
        choose([circle(x=40)])


def test_first_pass_takes_the_outline_not_the_bore():
    outline, bore, half = circle(), circle(radius=70), circle(radius=150, coverage=0.5)
    assert best_guess([half, outline, bore], CONFIG.circle, width=400, height=320) == outline


def test_mean_radius_is_not_moved_by_a_few_wrong_images():
    images = [draw_ring(radius=90.0)] * 5 + [draw_ring(radius=50.0)] * 2
    detections = [detect(image, "circle", CONFIG) for image in images]
    reference = estimate_reference("LC", "circle", detections, CONFIG)
    assert reference.mean_radius_px == pytest.approx(90, abs=0.5)
    assert reference.num_found == 7


@settings(max_examples=12)
@given(dx=st.floats(-60, 60), dy=st.floats(-30, 30))
def test_shifting_the_image_shifts_the_circle(dx, dy):
    shape = found(draw_ring(200 + dx, 160 + dy))
    assert (shape.x, shape.y) == pytest.approx((200 + dx, 160 + dy), abs=0.4)
    assert shape.radius == pytest.approx(100, abs=0.4)


@settings(max_examples=8)
@given(scale=st.floats(0.6, 1.4))
def test_scaling_the_image_scales_the_circle(scale):
    shape = found(draw_ring(radius=100 * scale), mean=100 * scale)
    assert shape.radius == pytest.approx(100 * scale, abs=0.4)


@pytest.mark.parametrize("geometry", ["circle", "inverted_circle"])
@pytest.mark.parametrize(("face", "ground"), [(170, 40), (40, 210), (70, 55)])
def test_bright_dark_and_faint_rings_are_found(geometry, face, ground):
    shape = found(draw_ring(face=face, ground=ground), geometry=geometry)
    assert shape.radius == pytest.approx(100, abs=1.0)


def test_without_refinement_the_circle_is_that_of_the_working_copy():
    image = draw_ring(width=1000, height=800, x=480.3, y=390.6, radius=300)
    coarse = parse(PreprocessConfig, {"circle": {"refine": False}})
    rough, fine = found(image, mean=300, config=coarse), found(image, mean=300)
    assert rough.radius == pytest.approx(300, abs=2.0)
    assert fine.radius == pytest.approx(300, abs=0.3)
    assert rough != fine


def test_an_all_black_image_has_no_roi_and_says_why():
    outcome = found(np.zeros((320, 400), dtype=np.uint8))
    assert isinstance(outcome, NoRoi)
    assert outcome.reason.startswith("LC_031: brightness 0 shows nothing")


def test_two_equal_rings_are_not_guessed_between():
    image = draw_ring(105, 160, 90)
    image[:, 200:] = image[:, 199::-1]
    outcome = found(image, mean=90)
    assert isinstance(outcome, NoRoi)
    assert "two circles are equally close" in outcome.reason


def test_a_neighbour_cut_off_at_the_border_is_not_chosen():
    image = draw_ring(150, 160, 90)
    other = draw_ring(400, 160, 90)
    image[:, 310:] = other[:, 310:]
    shape = found(image, mean=90)
    assert (shape.x, shape.y) == pytest.approx((150, 160), abs=0.5)


def test_noise_alone_has_no_circle():
    noise = np.random.default_rng(0).integers(0, 255, (320, 400), dtype=np.uint8)
    assert isinstance(found(cv2.GaussianBlur(noise, (0, 0), 1.5)), NoRoi)


def test_ring_mask_keeps_what_lies_between_two_radii():
    mask = ring_mask(101, (50.0, 50.0), inner=20, outer=40)
    assert mask.sum() == pytest.approx(np.pi * (40**2 - 20**2), rel=0.02)
    assert not mask[50, 50]
    assert mask[50, 80]
    assert ring_mask(11, (5.0, 5.0), inner=-3, outer=2)[5, 5]
