from dataclasses import replace

import cv2
import numpy as np

from bearing_search.plots.montage import OUTLINE
from bearing_search.plots.picture_table import CAPTION_PX, CELL_PX, CLIPPED, CONTOUR, GAP_PX
from bearing_search.training.plots.heat_maps import heat_map_picture

TOP, STEP = 24, CELL_PX + GAP_PX
LEFT = CAPTION_PX + GAP_PX


def drawn(predictions, file, *, num_levels=3):
    pixels = np.zeros((len(predictions.names), 16, 16, 3), dtype=np.uint8)
    pixels += np.array([90, 60, 30], dtype=np.uint8)
    heat_map_picture(predictions, pixels, num_levels=num_levels, is_mid_level=False, file=file)
    return cv2.imread(str(file))[..., ::-1]


def cell(picture, row, column):
    top, left = TOP + row * STEP, LEFT + column * STEP
    return picture[top : top + CELL_PX, left : left + CELL_PX]


def has(picture, colour):
    return bool((picture == colour).all(axis=2).any())


def test_rows_have_the_levels_in_grey_and_the_map_with_its_contours(predictions, tmp_path):
    found = predictions(2.0, names="LC/test/찍힘/s")
    picture = drawn(found, tmp_path / "heat.png")
    assert picture.shape[1] == LEFT + 4 * STEP - GAP_PX
    for column, level in enumerate((90, 60, 30)):
        assert (cell(picture, 0, column) == level).all()
    for row in range(4):  # two anomalous samples with the highest scores, two with the lowest
        assert has(cell(picture, row, 3), OUTLINE)
    assert any(has(cell(picture, row, 3), CONTOUR) for row in range(6))
    for row in (4, 5):
        assert not has(cell(picture, row, 3), OUTLINE)
    assert picture.shape[0] > TOP + 6 * STEP


def test_an_extreme_sample_blackens_no_other(predictions, tmp_path):
    found = predictions(6.0, names="LC/test/dent/s")
    maps = found.maps.copy()
    maps[1] += 1000  # normal
    extreme = replace(found, maps=maps)
    before, after = (
        drawn(one, tmp_path / f"{number}.png") for number, one in enumerate((found, extreme))
    )
    assert cell(after, 0, 3).astype(int).sum() > 0.9 * cell(before, 0, 3).astype(int).sum()
    assert has(after[-16:], CLIPPED)  # the bar tells what is clipped
