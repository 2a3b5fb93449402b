import numpy as np
import pytest

from bearing_search.plots import montage
from bearing_search.plots.montage import BACKGROUND, OUTLINE
from bearing_search.plots.picture_table import (
    CAPTION_PX,
    CELL_PX,
    CLIPPED,
    CONTOUR,
    GAP_PX,
    ColourBar,
    Tile,
    outlined_tile,
    picture_table,
)

HEAD, STEP = 22 + GAP_PX, CELL_PX + GAP_PX
LEFT = CAPTION_PX + GAP_PX


def cells(picture, count):
    lefts = [LEFT + k * STEP for k in range(count)]
    return [picture[HEAD : HEAD + CELL_PX, left : left + CELL_PX] for left in lefts]


def ink(strip):
    return (strip != strip[0, 0]).any(axis=2)


def test_a_table_has_titles_captions_beside_the_pictures_and_the_meaning_of_its_colours():
    colour = np.full((32, 32, 3), (200, 100, 50), dtype=np.uint8)
    mask = np.zeros((64, 64), dtype=bool)
    mask[40, 20] = True
    levels = np.array([[0.0, 1.0], [0.5, -1.0]])
    tiles = (Tile(colour), outlined_tile(colour, mask), Tile(levels))
    bar = ColourBar(low="0", meaning="what", high="1", threshold=0.25)

    picture = picture_table(("a", "b", "c"), [("first", tiles)], bar=bar)

    assert picture.shape[1] == LEFT + 3 * STEP - GAP_PX
    plain, outlined, heat = cells(picture, 3)
    assert (plain == (200, 100, 50)).all()  # the caption is not on it
    assert (picture[HEAD : HEAD + CELL_PX, LEFT + CELL_PX : LEFT + STEP] == BACKGROUND).all()
    rows, columns = np.nonzero((outlined == OUTLINE).all(axis=2))
    assert rows.mean() == pytest.approx(40.5 / 64 * CELL_PX, abs=2)
    assert columns.mean() == pytest.approx(20.5 / 64 * CELL_PX, abs=2)
    strip = picture[HEAD + STEP + 2, LEFT:]
    for row, column, end in ((0, 0, 0), (0, -1, -1), (-1, -1, 0)):
        assert (heat[row, column] == strip[end]).all()
    assert strip[-1].sum() > strip[0].sum() + 300  # pale yellow and black
    ticks = np.nonzero((strip == CONTOUR).all(axis=1))[0]
    assert ticks.mean() == pytest.approx(0.25 * len(strip), abs=2)
    assert ink(picture[:22, LEFT : LEFT + CELL_PX]).any()
    assert ink(picture[HEAD : HEAD + 22, :CAPTION_PX]).any()


def test_what_is_above_the_scale_has_a_colour_of_its_own_also_in_the_bar():
    levels = np.zeros((CELL_PX, CELL_PX))
    levels[:, 100:] = 1.0
    levels[:, 200:] = 1.001
    clipped = ColourBar(low="0", meaning="what", high="1", clipped="above 1")
    picture = picture_table(("a",), [("first", [Tile(levels)])], bar=clipped)
    (heat,) = cells(picture, 1)
    is_clipped = (heat == CLIPPED).all(axis=2)
    assert is_clipped[:, 200:].all()
    assert not is_clipped[:, :200].any()
    assert (picture[HEAD + STEP + 2, -1] == CLIPPED).all()
    whole = picture_table(("a",), [], bar=ColourBar(low="0", meaning="what", high="1"))
    assert not (whole == CLIPPED).all(axis=2).any()


def test_grey_levels_are_shown_as_they_are():
    grey = np.full((30, 30), 77, dtype=np.uint8)
    (cell,) = cells(picture_table(("a",), [("first", [Tile(grey)])]), 1)
    assert (cell == 77).all()


def test_a_hangul_name_is_drawn_in_the_caption():
    pictures = [
        picture_table(("a",), [(name, [Tile(np.zeros((4, 4)))])])[HEAD:, :CAPTION_PX]
        for name in ("찍힘", "결함", "??")
    ]
    assert len({picture.tobytes() for picture in pictures}) == 3
    assert montage.drawable("찍힘") == "찍힘"
