import numpy as np

from bearing_search.preprocess.brightness import fuse


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
