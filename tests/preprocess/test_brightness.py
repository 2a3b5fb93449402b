import numpy as np
import pytest

from bearing_search.errors import DataError
from bearing_search.preprocess.brightness import check_levels, fuse


def flat(value):
    return np.full((2, 3), value, dtype=np.uint8)


def channels(image):
    return [tuple(np.unique(image[..., c])) for c in range(3)]


def test_almost_black_level_gives_way_to_the_mean_of_the_others():
    assert channels(fuse([flat(200), flat(100), flat(3)], mid_level=True)) == [
        (200,),
        (150,),
        (100,),
    ]


def test_three_levels_are_three_channels():
    assert channels(fuse([flat(9), flat(8), flat(7)], mid_level=False)) == [(9,), (8,), (7,)]


def test_two_levels_get_their_mean_between_them():
    assert channels(fuse([flat(10), flat(20)], mid_level=False)) == [(10,), (15,), (20,)]


def test_one_grey_level_is_repeated():
    assert channels(fuse([flat(5)], mid_level=True)) == [(5,)] * 3


def test_one_colour_level_keeps_its_colours():
    colour = np.dstack([flat(1), flat(2), flat(3)])
    assert (fuse([colour], mid_level=False) == colour).all()


def test_several_colour_levels_keep_their_brightness_only():
    white = np.dstack([flat(80)] * 3)
    assert channels(fuse([white, flat(40)], mid_level=False)) == [(80,), (60,), (40,)]


FOUR = [flat(200), flat(100), flat(80), flat(20)]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ((0, 1, 3), (200, 100, 20)),
        ((3, 0, 0), (20, 200, 200)),
        ((2,), (80, 80, 80)),
        ((0, 3), (200, 110, 20)),
        (("mean",), (100, 100, 100)),
        (("max", 2, "mean"), (200, 80, 100)),
        (("std",), (130, 130, 130)),  # twice the root of (100^2 + 0 + 20^2 + 80^2) / 4
        (("ratio",), (26, 26, 26)),  # 255 * 20 / 200, rounded
    ],
)
@pytest.mark.parametrize("mid_level", [True, False])
def test_channels_are_chosen_levels_or_what_all_levels_are_reduced_to(chosen, expected, mid_level):
    fused = fuse(FOUR, mid_level=mid_level, channels=chosen)
    assert channels(fused) == [(number,) for number in expected]


def test_black_levels_are_equal():
    assert channels(fuse([flat(0)] * 4, mid_level=False, channels=("ratio",))) == [(255,)] * 3


def test_the_spread_of_two_extremes_fills_the_range():
    two = [flat(255), flat(0)]
    assert channels(fuse(two, mid_level=False, channels=("std",))) == [(255,)] * 3


def test_a_single_level_is_not_affected_by_the_choice():
    assert channels(fuse([flat(5)], mid_level=True, channels=(0, 2, "std"))) == [(5,)] * 3


def test_more_levels_than_channels_want_a_choice():
    with pytest.raises(
        DataError, match=r"LC: has 4 .* preprocess.levels to level numbers, such as \[0, 1, 3\]"
    ):
        check_levels("LC", 4, ())
    with pytest.raises(DataError, match=r"levels 0 to 2, but preprocess.levels names 3"):
        check_levels("LC", 3, (0, 1, 3))
    for fine in ((3, ()), (1, (0, 1, 3)), (4, (0, 1, 3)), (9, ("mean",))):
        check_levels("LC", *fine)
    with pytest.raises(ValueError, match="4 levels without a choice"):
        fuse(FOUR, mid_level=False)
