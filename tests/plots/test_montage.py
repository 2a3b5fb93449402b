import unicodedata

import cv2
import numpy as np
import pytest

from bearing_search.plots import montage
from bearing_search.plots.montage import BACKGROUND

LINE_PX = 16


def ink(strip):
    return (strip != strip[0, 0]).any(axis=2)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("LC/good/t034: 0.053", "LC/good/t034: 0.053"),
        ("Größe_Übermaß_naïve", "Größe_Übermaß_naïve"),
        ("한국어 日本 Ж Ω", "한국어 日本 Ж Ω"),
        (unicodedata.normalize("NFD", "한국 Größe"), "한국 Größe"),  # as macOS names files
        ("a?b", "a?b"),
        ("แ", r"\u0e41"),
        ("😀", r"\U0001f600"),
        ("tab\there", r"tab\there"),
        ("a\tb.png", r"a\tb.png"),  # what cannot be printed is never handed to OpenCV
        ("\u200b", r"\u200b"),  # else invisible
    ],
)
def test_letters_are_drawn_or_written_as_their_numbers(text, shown):
    assert montage.drawable(text) == shown
    assert ink(montage.label(text, 300)).any()


def test_different_letters_look_different():
    strips = [montage.label(text, 60).tobytes() for text in ("한", "국", "ö", "o", "?", "字")]
    assert len(set(strips)) == len(strips)


def test_a_long_text_takes_lines_and_nothing_of_it_is_lost():
    one = montage.label("LC/train/good/t034", 560)
    long = montage.label("LC/train/good/" + "x_" * 100 + "\nwhy", 200)
    assert len(one) == LINE_PX + 6
    assert one.shape[1] == 560
    assert not ink(long)[:, 197:].any()
    # 14 + 200 letters; x and _ are at least 5 px wide together
    assert len(long) >= 6 + 6 * LINE_PX
    assert ink(long)[-LINE_PX - 3 :].any()  # the second line of the text


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("abcdefgh ijklmn opq", "abcdefgh \nijklmn opq"),
        ("part/split/name_of_it", "part/split/\nname_of_it"),
        ("a WWWWWWWWW", "a WWWWW\nWWWW"),
    ],
)
def test_a_line_is_broken_after_a_space_or_a_slash_that_comes_late_enough(text, lines):
    assert np.array_equal(montage.label(text, 78), montage.label(lines, 78))


def test_a_strip_without_room_still_ends():
    assert len(montage.label("Wide", 9)) == 4 * LINE_PX + 6


def test_text_stands_left_in_the_middle_or_right():
    places = [np.nonzero(ink(montage.label("1", 100, align=a)))[1].mean() for a in (0, 0.5, 1)]
    assert places[0] < 15
    assert places[1] == pytest.approx(50, abs=2)
    assert places[2] > 85


def test_the_smallest_defect_stays_marked_in_a_small_picture():
    mask = np.zeros((2000, 2000), dtype=bool)
    mask[1234, 567] = True
    over = montage.mask_over(np.zeros((100, 100, 3), dtype=np.uint8), mask)
    assert np.argwhere(over).tolist() == [[61, 28]]


def test_a_grid_fills_free_places_with_the_background():
    tiles = [np.full((height, 30, 3), 200, dtype=np.uint8) for height in (10, 20, 15)]
    sheet = montage.grid(tiles, 2)
    assert sheet.shape == (35, 60, 3)
    assert (sheet[10:20, :30] == BACKGROUND).all()
    assert (sheet[:20, 30:] == 200).all()
    assert (sheet[20:, 30:] == BACKGROUND).all()


def test_a_picture_keeps_its_shape_when_it_is_fitted():
    grey = np.full((50, 100), 7, dtype=np.uint8)
    assert montage.fitted(grey, 300, 60).shape == (60, 120, 3)
    assert montage.fitted(grey, 30, 60).shape == (15, 30, 3)
    assert (montage.fitted(grey, 30, 60) == 7).all()


def test_a_picture_is_written_with_its_folder_and_always_the_same(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (5, 6, 3)).astype(np.uint8)
    files = [tmp_path / "new" / "a.png", tmp_path / "new" / "b.png"]
    for file in files:
        montage.write_png(montage.stacked([picture, montage.label("한국 ä", 60)]), file)
    assert (cv2.imread(str(files[0]))[:5, :6, ::-1] == picture).all()
    assert files[0].read_bytes() == files[1].read_bytes()
