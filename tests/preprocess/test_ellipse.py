from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearing_search.config import PreprocessConfig, parse
from bearing_search.errors import DataError, RoiNotFoundError
from bearing_search.preprocess.ellipse.choice import (
    choose_ellipse,
    doubts,
    inside_share,
    mean_centre,
    proposed_crop,
)
from bearing_search.preprocess.locate import NoRoi, RoiReference, detect, locate
from bearing_search.preprocess.shapes import Ellipse

from .conftest import draw_ellipse

CONFIG = PreprocessConfig()


def tall(x=200.0, y=160.0, semi_major=120.0, semi_minor=60.0, coverage=1.0):
    return Ellipse(
        x=x, y=y, semi_major=semi_major, semi_minor=semi_minor, angle_deg=90, coverage=coverage
    )


def choose(candidates):
    return choose_ellipse(candidates, CONFIG.ellipse, width=400, height=320, image="OD_007")


def found(image, config=CONFIG, crop=(150, 150, 150, 150)):
    reference = RoiReference(
        part="OD",
        geometry="ellipse",
        num_samples=1,
        num_found=1,
        centre=(200.0, 160.0),
        crop_px=crop,
    )
    return locate(image, detect(image, "ellipse", config), reference, config, name="OD_007")


def test_the_largest_ellipse_inside_the_image_is_chosen():
    beyond, outline, bore = tall(semi_major=170), tall(), tall(semi_major=50, semi_minor=20)
    assert choose([beyond, outline, bore]) == outline


def test_a_faint_outline_wins_over_the_bore_it_encloses():
    outline, bore = tall(coverage=0.55), tall(semi_major=50, semi_minor=20)
    assert choose([outline, bore]) == outline


def test_clutter_that_encloses_nothing_stands_back():
    clutter = tall(x=280, semi_major=130, semi_minor=100, coverage=0.55)
    assert choose([clutter, tall()]) == tall()


def test_the_outline_with_even_contrast_is_preferred_to_that_of_its_shadow():
    part = tall()
    shadow = replace(tall(x=203, semi_major=121, semi_minor=63), even_coverage=0.5)
    assert choose([shadow, part]) == part
    assert choose([replace(shadow, even_coverage=0.76), part]) != part
    assert choose([shadow, replace(part, even_coverage=0.9)]) == shadow


@pytest.mark.parametrize(
    "inner",
    [
        tall(semi_major=114, semi_minor=57),  # a chamfer runs all around
        tall(x=220, semi_major=80, semi_minor=40),  # touches, but far too small
    ],
)
def test_even_contrast_further_inside_is_no_outline(inner):
    outline = replace(tall(), even_coverage=0.5)
    assert choose([outline, inner]) == outline


def shaded_disc(*, dx, face=170, darkness=0.5):
    """A disc that casts a shadow to the right."""
    ground = np.full((320, 400), 120, dtype=np.float32)
    cover = draw_ellipse(face=255, ground=0).astype(np.float32) / 255
    cast = cv2.GaussianBlur(np.roll(cover, dx, axis=1), (0, 0), 1.0)
    shaded = ground * (1 - darkness * cast)
    image = shaded * (1 - cover) + face * cover
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("dx", [8, 10, 12])
def test_a_cast_shadow_does_not_move_the_ellipse(dx):
    shape = found(shaded_disc(dx=dx))
    assert isinstance(shape, Ellipse)
    assert (shape.x, shape.y) == pytest.approx((200, 160), abs=1)
    assert (shape.semi_minor, shape.semi_major) == pytest.approx((60, 120), abs=1.5)
    assert shape.even_coverage > 0.95


def test_an_outline_without_a_shadow_has_even_contrast():
    for face in (20, 170):
        (outline, *_) = detect(draw_ellipse(face=face), "ellipse", CONFIG).candidates
        assert isinstance(outline, Ellipse)
        assert outline.even_coverage == pytest.approx(outline.coverage, abs=0.02)


@pytest.mark.parametrize(
    ("coverage", "even_coverage", "is_doubtful"),
    [(0.89, 0.69, True), (0.9, 0.5, False), (0.7, 0.7, False), (1.0, 1.0, False)],
)
def test_an_uneven_and_incomplete_edge_is_a_doubt(coverage, even_coverage, is_doubtful):
    told = doubts(replace(tall(), coverage=coverage, even_coverage=even_coverage))
    assert bool(told) is is_doubtful
    if told:
        assert "may follow a shadow or clutter: edges cover 89% of it, and 69% with" in told[0]


def test_an_ellipse_that_leaves_the_image_is_named_as_such():
    with pytest.raises(RoiNotFoundError, match=r"OD_007: the ellipse .* extends beyond the image"):
        choose([tall(semi_major=170)])


@pytest.mark.slow
@settings(max_examples=10)
@given(dx=st.floats(-80, 80), dy=st.floats(-30, 30))
def test_shifting_the_image_shifts_the_ellipse(dx, dy):
    shape = found(draw_ellipse(200 + dx, 160 + dy))
    assert (shape.x, shape.y) == pytest.approx((200 + dx, 160 + dy), abs=0.5)


@settings(max_examples=8)
@given(aspect=st.floats(1.2, 3.0), contrast=st.sampled_from([14, 40, 120]))
def test_tall_ellipses_are_found_down_to_faint_contrast(aspect, contrast):
    shape = found(draw_ellipse(half=(120 / aspect, 120.0), face=60 + contrast))
    assert (shape.x, shape.y) == pytest.approx((200, 160), abs=0.01 * 240)
    assert shape.semi_major == pytest.approx(120, abs=2)


def test_what_is_cut_away_beforehand_cannot_be_chosen():
    image = np.maximum(draw_ellipse(90, 160, (40, 60)), draw_ellipse(280, 160, (60, 120)))
    config = parse(PreprocessConfig, {"ellipse": {"pre_crop_px": [0, 0, 200, 0]}})
    assert found(image).x == pytest.approx(280, abs=1)
    assert found(image, config).x == pytest.approx(90, abs=1)


def test_a_cut_larger_than_the_image_is_refused():
    config = parse(PreprocessConfig, {"ellipse": {"pre_crop_px": [200, 0, 200, 0]}})
    with pytest.raises(DataError, match=r"400x320 px is smaller than .*pre_crop_px"):
        found(draw_ellipse(), config)


def test_an_ellipse_far_from_the_reference_is_no_roi():
    outcome = found(draw_ellipse(120, 160), crop=(62, 122, 62, 122))
    assert isinstance(outcome, NoRoi)
    assert "lies inside the crop around (200, 160)" in outcome.reason
    assert outcome.closest.x == pytest.approx(120, abs=1)


def test_reference_centre_is_the_mean_without_strays():
    ellipses = [tall(x=199), tall(x=201), tall(x=200), tall(x=200, y=162), tall(x=320)]
    assert mean_centre(ellipses) == pytest.approx((200, 160.5))


def test_proposed_crop_holds_the_ellipse_with_its_margin():
    crop = proposed_crop([tall()] * 3, CONFIG.ellipse)
    assert crop == (65, 130, 65, 130)  # 60 and 120, with .08 more, rounded up
    assert inside_share(tall(), (200.0, 160.0), crop) == 1.0
    assert inside_share(tall(x=265), (200.0, 160.0), crop) == pytest.approx(0.5, abs=0.02)
