import numpy as np
import pytest

from bearing_search.plots import heat_map
from bearing_search.plots.montage import OUTLINE
from bearing_search.plots.picture_table import CONTOUR

NAN = float("nan")


def dented(num, *, height=1.0):
    maps = np.zeros((num, 64, 64))
    maps[:, 20:30, 20:30] = height
    return maps


def test_one_extreme_sample_moves_no_scale():
    maps, labels = dented(9), np.ones(9, dtype=bool)
    before = heat_map.scale_end(maps, labels, threshold=NAN)
    maps[0] = 1000.0
    assert heat_map.scale_end(maps, labels, threshold=NAN) == before == 1.0
    labels[0] = False  # an extreme normal sample even less
    assert heat_map.scale_end(maps, labels, threshold=NAN) == 1.0


def test_the_scale_reaches_the_threshold_and_without_anomalous_samples_the_normal_ones():
    maps = dented(4)
    assert heat_map.scale_end(maps, np.ones(4, dtype=bool), threshold=3.0) == 3.0
    assert heat_map.scale_end(maps, np.zeros(4, dtype=bool), threshold=NAN) == 1.0


@pytest.mark.parametrize(
    ("score", "is_anomalous", "word"),
    [
        (0.5, True, "found"),
        (0.4, True, "missed"),
        (0.5, False, "false alarm"),
        (0.4, False, "passed"),
    ],
)
def test_the_mark_says_what_the_threshold_makes_of_a_sample(score, is_anomalous, word):
    assert heat_map.verdict(score, 0.5, is_anomalous=is_anomalous)[0] == word
    assert heat_map.verdict(score, NAN, is_anomalous=is_anomalous)[0] == ""


def test_a_map_has_the_contours_of_the_threshold_and_of_the_ground_truth():
    levels = dented(1)[0]
    mask = np.zeros((64, 64), dtype=bool)
    mask[40, 40] = True
    tile = heat_map.map_tile(levels, mask, low=0.0, end=2.0, threshold=0.9)
    assert tile.image.max() == 0.5
    (above, white), (truth, green) = tile.outlines
    assert (white, green) == (CONTOUR, OUTLINE)
    assert (above == (levels > 0)).all()
    assert truth is mask
    without = heat_map.map_tile(levels, mask, low=0.0, end=2.0, threshold=NAN)
    assert not without.outlines[0][0].any()


def test_the_bar_says_how_much_is_clipped():
    maps = dented(1)
    bar = heat_map.colour_bar(maps, low=0.0, end=0.5, threshold=0.25, meaning="x")
    assert bar.clipped == "above 0.5: 2.44% of the pixels"
    assert bar.threshold == 0.5
    whole = heat_map.colour_bar(maps, low=0.0, end=1.0, threshold=NAN, meaning="x")
    assert (whole.clipped, whole.threshold) == ("", None)


def test_levels_are_grey_tiles_and_a_colour_picture_stays_one():
    pixels = np.dstack([np.full((8, 8), value, dtype=np.uint8) for value in (9, 5, 1)])
    stack = heat_map.input_tiles(pixels, num_levels=3)
    assert [tile.image.tolist() for tile in stack] == [
        np.full((8, 8), value).tolist() for value in (9, 5, 1)
    ]
    (colour,) = heat_map.input_tiles(pixels, num_levels=1)
    assert colour.image is pixels
    (grey,) = heat_map.input_tiles(np.repeat(pixels[..., :1], 3, axis=2), num_levels=1)
    assert grey.image.shape == (8, 8)
    for num_levels in (1, 2, 3):
        titles = heat_map.input_titles(num_levels, is_mid_level=False)
        assert len(titles) == len(heat_map.input_tiles(pixels, num_levels=num_levels))
    assert heat_map.input_titles(3, is_mid_level=True)[1] == "mean of 0 and 1"
