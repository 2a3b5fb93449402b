import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bearing_search.data.drawn_defects import (
    DefectSizes,
    DrawnDefect,
    RegionSize,
    random_defect,
    region_sizes,
)
from bearing_search.data.samples import Sample, read_brightness_0, read_levels, read_mask

SHAPE = (300, 400)
PRIOR = DefectSizes()


def defect(number=0, sizes=PRIOR, centre=(200, 150), shorter_px=300):
    return random_defect(sizes, centre, shorter_px=shorter_px, seed=(number,))


@example(364)  # of two hills
@given(st.integers(0, 10_000))
def test_a_defect_is_one_region_about_its_centre_as_large_as_its_side_says(number):
    drawn = defect(number)
    mask = drawn.mask(SHAPE)

    assert cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] == 2
    area = drawn.size.side_px**2
    about = pytest.approx(area, rel=0.4, abs=10)  # of a thin scar, its raster decides
    assert mask.sum() == (round(area) if drawn.kind == "blob" else about)
    rows, columns = np.nonzero(mask)
    reach = drawn.size.side_px * math.sqrt(drawn.size.aspect)
    assert math.dist((columns.mean(), rows.mean()), drawn.centre) < reach


def test_without_masks_sides_are_from_4_px_to_a_tenth_of_the_image():
    sides = [defect(number, shorter_px=1000).size.side_px for number in range(400)]
    assert 4 <= min(sides) < 4.5
    assert 80 < max(sides) <= 100
    assert np.median(sides) == pytest.approx(20, rel=0.25)  # sqrt(4 * 100): no scale is preferred
    assert {defect(number).kind for number in range(40)} == {"scar", "patch", "blob"}


def test_sizes_are_those_of_real_masks_or_as_configured():
    measured = DefectSizes(measured=(RegionSize(10.0, 1.2), RegionSize(30.0, 8.0)))
    sides = np.array([defect(number, measured).size.side_px for number in range(100)])
    assert all(8 < side < 12.5 or 24 < side < 37 for side in sides)
    assert 20 < (sides < 20).sum() < 80
    long = [one for one in (defect(n, measured) for n in range(100)) if one.size.aspect == 8]
    assert {one.kind for one in long} == {"scar"}

    both = replace(measured, range_px=(50.0, 60.0))
    assert all(50 <= defect(number, both).size.side_px <= 60 for number in range(50))
    assert defect(0, both, shorter_px=80).size.side_px == 40  # half of the image at most


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (PRIOR, "sides of 4 px to 10% of the image, a prior"),
        (DefectSizes(range_px=(3, 20)), "sides of 3 to 20 px, as configured"),
        (
            DefectSizes(measured=(RegionSize(6, 1), RegionSize(44, 1))),
            "sides as in 2 regions of real masks of other parts (6 to 44 px)",
        ),
    ],
)
def test_it_is_said_where_sizes_come_from(sizes, said):
    assert sizes.source == said


@pytest.mark.parametrize("centre", [(0, 0), (399, 299), (0, 150)])
@pytest.mark.parametrize("number", range(6))
def test_a_defect_at_the_border_is_cut_off_but_never_empty(centre, number):
    mask = defect(number, centre=centre).mask(SHAPE)
    assert mask.shape == SHAPE
    assert mask.any()


def test_regions_are_measured_by_area_and_by_the_rectangle_around_them():
    mask = np.zeros((60, 60), dtype=bool)
    mask[5:15, 5:15] = True
    mask[30:33, 10:37] = True
    mask[50, 50:53] = True  # a speck

    sizes = region_sizes(mask)

    assert [size.side_px for size in sizes] == [10, 9]
    assert [size.aspect for size in sizes] == pytest.approx([1, 9])


@pytest.fixture
def sample(tmp_path):
    rng = np.random.default_rng(0)
    files = []
    for level, brightness in enumerate((150, 90)):
        files.append(tmp_path / f"s_b{level}.png")
        noise = rng.normal(brightness, 5, SHAPE)
        cv2.imwrite(str(files[-1]), np.clip(noise, 0, 255).astype(np.uint8))
    return Sample(
        part="LC",
        split="train",
        defect="good",
        name="s",
        group="s",
        is_anomalous=False,
        level_files=tuple(files),
    )


def test_reading_shows_the_defect_on_every_level_and_in_the_mask(sample):
    one = DrawnDefect(
        kind="patch", centre=(100, 80), size=RegionSize(20, 1), angle_deg=0, seed=(1,)
    )
    drawn = replace(sample, drawn=one)

    levels, before, mask = read_levels(drawn), read_levels(sample), read_mask(drawn, SHAPE)

    assert mask.sum() == 21 * 21  # 10 px to both sides of the centre's pixel
    for level, clean in zip(levels, before, strict=True):
        assert (level == clean)[~mask].all()
        assert abs(level[mask].mean() - clean[mask].mean()) > 10
    assert (read_brightness_0(drawn) == levels[0]).all()
    assert not read_mask(sample, SHAPE).any()


def test_colours_keep_their_channels():
    grey = np.full(SHAPE, 120, np.uint8)
    colour = np.dstack([grey, grey // 2, grey // 3])
    drawn = defect(3)

    levels = drawn.on([colour, grey])

    assert [level.shape for level in levels] == [(*SHAPE, 3), SHAPE]
    outside = ~drawn.mask(SHAPE)
    assert (levels[0][outside] == colour[outside]).all()
    assert (levels[1][outside] == grey[outside]).all()


def test_no_file_is_changed(sample):
    contents = [Path(file).read_bytes() for file in sample.level_files]
    read_levels(replace(sample, drawn=defect()))
    assert [Path(file).read_bytes() for file in sample.level_files] == contents
