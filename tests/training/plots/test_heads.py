import numpy as np

from bearing_search.training.plots.heads import patch_picture, reconstruction_picture

CELL, GAP, TEXT, CAPTION, BAR = 224, 2, 22, 176, 34
"""Sides of the pictures' pieces, in pixels."""


def cell(picture, row, column):
    top = TEXT + GAP + row * (CELL + GAP)
    left = CAPTION + GAP + column * (CELL + GAP)
    return picture[top : top + CELL, left : left + CELL]


def scale_colour(picture, share):
    """Colour of the bar at the foot of a picture."""
    bar = picture[-BAR + 2, CAPTION + GAP :]
    return bar[round(share * (len(bar) - 1))].astype(int)


def test_a_picture_that_is_rebuilt_has_no_difference_and_one_that_is_not_has_its_grey_levels():
    pixels = np.full((2, 28, 28, 3), (200, 100, 50), dtype=np.uint8)
    rebuilt = pixels.copy()
    rebuilt[1, :, 14:] -= 32  # half of the scale

    picture = reconstruction_picture(
        pixels, rebuilt, ["train: good/a", "held out: good/b"], is_stack=False
    )

    assert picture.shape == (TEXT + GAP + 2 * (CELL + GAP) + BAR, CAPTION + 3 * (CELL + GAP), 3)
    assert cell(picture, 0, 0)[9, 9].tolist() == [200, 100, 50]
    assert (cell(picture, 0, 0) == cell(picture, 0, 1)).all()
    none, half = scale_colour(picture, 0), scale_colour(picture, 0.5)
    assert (cell(picture, 0, 2) == none).all()
    assert (cell(picture, 1, 2)[:, :100] == none).all()
    assert abs(cell(picture, 1, 2)[100, 200] - half).max() < 8


def test_the_scale_of_differences_does_not_follow_the_pictures():
    pixels = np.zeros((1, 28, 28, 3), dtype=np.uint8)
    small, large = (
        reconstruction_picture(pixels, pixels + np.uint8(levels), ["a"], is_stack=False)
        for levels in (16, 64)
    )
    assert cell(small, 0, 2)[5, 5].sum() < cell(large, 0, 2)[5, 5].sum()


def test_patch_probabilities_lie_where_their_patches_lie():
    pixels = np.full((1, 28, 28, 3), 90, dtype=np.uint8)
    masks = np.zeros((1, 28, 28), dtype=bool)
    masks[0, 16:20, 3:7] = True
    probabilities = np.zeros((1, 4, 4))
    probabilities[0, 2, 0] = 1.0

    picture = patch_picture(pixels, masks, probabilities, ["train: dent/a"], is_stack=False)

    heat = cell(picture, 0, 1)
    assert (heat[5, 5] == scale_colour(picture, 0)).all()
    assert (heat[2 * 56 + 4, 4] == scale_colour(picture, 1)).all()
    outline = (cell(picture, 0, 0) == (80, 220, 80)).all(axis=2)
    rows, columns = np.nonzero(outline)
    assert (rows.min() // 8, columns.min() // 8) == (16, 3)  # 8 px of the picture show one
    assert outline.sum() > 100


def test_brightness_levels_are_grey_and_no_false_colours():
    pixels = np.full((1, 28, 28, 3), (200, 100, 50), dtype=np.uint8)
    picture = reconstruction_picture(pixels, pixels, ["a"], is_stack=True)
    assert (cell(picture, 0, 0) == 200).all()
    assert (cell(picture, 0, 1) == 200).all()
