import pickle
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.config import PreprocessConfig, parse
from bearing_search.data.part_reading import PartReading
from bearing_search.errors import DataError
from bearing_search.preprocess.pipeline import fit_reference
from bearing_search.preprocess.prepare import prepare, shrink_any

from .conftest import draw_ring

RAW = {"circle": {"ring_half_width_px": 30}}
CONFIG = parse(PreprocessConfig, RAW)


@pytest.fixture
def rings(save):
    mask = np.zeros((320, 400), dtype=bool)
    mask[150:153, 288] = True
    normal = [save(f"n{i}", [draw_ring(198 + i, 160)] * 3) for i in range(3)]
    return [*normal, save("d0", [draw_ring()] * 3, mask)]


def ready(samples, cache, config=CONFIG, reference=None, **sizes):
    reference = reference or fit_reference(samples, config)
    return prepare(
        samples, reference, config, **{"input_px": 56, "map_px": 32, **sizes}, cache=cache
    )


def test_arrays_have_the_asked_sizes_and_the_given_order(rings, tmp_path):
    made = ready(rings, tmp_path / "cache")
    assert made.images.shape == (4, 56, 56, 3)
    assert made.masks.shape == made.roi_masks.shape == (4, 56, 56)
    assert made.map_masks.shape == (4, 32, 32)
    assert [sample.name for sample in made.samples] == ["n0", "n1", "n2", "d0"]
    assert made.no_roi == ()


def test_a_dent_of_three_pixels_survives_both_sizes(rings, tmp_path):
    made = ready(rings, tmp_path / "cache")
    assert made.masks[3].any()
    assert made.map_masks[3].any()
    assert not made.masks[:3].any()
    assert (made.roi_masks[3] | ~made.masks[3]).all()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 30), st.integers(0, 10**6))
def test_a_pixel_counts_where_any_part_of_it_is_marked(height, width, side, seed):
    mask = np.random.default_rng(seed).random((height, width)) < 0.1
    shrunk = shrink_any(mask, side)
    expected = np.zeros((side, side), dtype=bool)
    for row, column in np.argwhere(mask):
        # cells [i / side, (i + 1) / side) that overlap [row / height, (row + 1) / height)
        rows = [
            i
            for i in range(side)
            if i * height < (row + 1) * side and (i + 1) * height > row * side
        ]
        columns = [
            i
            for i in range(side)
            if i * width < (column + 1) * side and (i + 1) * width > column * side
        ]
        expected[np.ix_(rows, columns)] = True
    assert (shrunk == expected).all()


def test_cached_and_fresh_are_the_same(rings, tmp_path):
    first, second = ready(rings, tmp_path / "cache"), ready(rings, tmp_path / "cache")
    fresh = ready(rings, tmp_path / "other")
    assert first.digest == second.digest == fresh.digest
    assert (second.images == fresh.images).all()
    assert (second.map_masks == fresh.map_masks).all()


def test_another_tolerance_that_chooses_the_same_circles_adds_no_pixels(rings, tmp_path):
    cache = tmp_path / "cache"
    reference = fit_reference(rings, CONFIG)
    wide = replace(CONFIG, circle=replace(CONFIG.circle, radius_tolerance_px=33.0))
    first = ready(rings, cache, reference=reference)
    pixels = set(cache.rglob("*.npz"))
    second = ready(rings, cache, wide, reference=reference)
    assert first.digest == second.digest
    assert set(cache.rglob("*.npz")) == pixels


def test_another_ring_width_gives_another_digest(rings, tmp_path):
    thin = replace(CONFIG, circle=replace(CONFIG.circle, ring_half_width_px=20.0))
    assert ready(rings, tmp_path).digest != ready(rings, tmp_path, thin).digest


def test_a_changed_picture_is_seen_though_its_name_is_the_same(rings, tmp_path):
    before = ready(rings, tmp_path / "cache")
    file = rings[0].level_files[1]
    cv2.imwrite(str(file), 255 - cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))
    assert ready(rings, tmp_path / "cache").digest != before.digest


def test_samples_without_roi_are_listed_with_their_reason(rings, save, tmp_path):
    empty = save("empty", [np.full((320, 400), 90, np.uint8)] * 3)
    for _ in range(2):  # made, then read from the cache
        made = ready([rings[0], empty, rings[1]], tmp_path / "cache")
        assert [sample.name for sample in made.samples] == ["n0", "n1"]
        ((sample, reason),) = made.no_roi
        assert sample is empty
        assert "brightness 0 shows nothing" in reason


def test_nothing_found_gives_empty_arrays(rings, save, tmp_path):
    empty = save("empty", [np.full((320, 400), 90, np.uint8)])
    made = ready([empty], tmp_path, reference=fit_reference(rings, CONFIG))
    assert made.images.shape == (0, 56, 56, 3)
    assert made.lost_regions.shape == (0,)


def test_a_broken_file_stops_the_preparation(rings, tmp_path):
    reference = fit_reference(rings, CONFIG)
    file = rings[1].level_files[2]
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"n1_b2\.png: is truncated"):
        ready(rings, tmp_path / "cache", reference=reference)


def test_a_damaged_entry_is_made_again(rings, tmp_path):
    first = ready(rings, tmp_path / "cache")
    for file in (tmp_path / "cache").rglob("*.*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:20])
    assert ready(rings, tmp_path / "cache").digest == first.digest


def test_a_part_without_geometry_and_an_enlarged_picture(save, tmp_path):
    sample = save("s", [np.arange(100, dtype=np.uint8).reshape(10, 10)], part="tile")
    made = ready([sample], tmp_path / "cache", input_px=40)
    assert made.images.shape == (1, 40, 40, 3)
    assert made.roi_masks.all()


PREPARE = """
import pickle, sys
from pathlib import Path
from bearing_search.preprocess.prepare import prepare
samples, reference, config, cache = pickle.loads(Path(sys.argv[1]).read_bytes())
print(prepare(samples, reference, config, input_px=56, map_px=32, cache=cache).digest)
"""


@pytest.mark.slow
def test_four_processes_may_ask_for_the_same_at_once(rings, tmp_path):
    cache, order = tmp_path / "cache", tmp_path / "order"
    order.write_bytes(pickle.dumps((rings, fit_reference(rings, CONFIG), CONFIG, cache)))
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", PREPARE, str(order)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    digests = {process.communicate(timeout=60)[0].strip() for process in asking}
    assert len(digests) == 1
    assert all(process.returncode == 0 for process in asking)
    assert not list(cache.rglob("*.tmp"))
    assert len(list(cache.rglob("*.npz"))) == len(rings)


def test_what_is_cached_is_named_by_how_the_files_are_read(save, tmp_path):
    level = draw_ring().astype(np.uint16) * 16
    samples = [save(f"n{number}", [level, level // 2, level // 4, level]) for number in range(2)]
    mask = np.zeros((320, 400), dtype=bool)
    mask[150:153, 288] = True
    samples.append(save("d0", [level, level // 2, level // 4, level], mask))
    cache = tmp_path / "cache"

    def made(**changes):
        reading, levels = PartReading(bits=12), changes.pop("levels", (0, 1, 2))
        read = [replace(sample, reading=replace(reading, **changes)) for sample in samples]
        return ready(read, cache, replace(CONFIG, levels=levels))

    plain = made()
    assert made(bits=14).images.max() < plain.images.max() / 3
    assert not made(void_value=255).masks.any()
    assert (made(levels=(3, 0, 0)).images[..., 0] == plain.images[..., 0]).all()
    assert (made(levels=(3, 0, 0)).images[..., 1] == plain.images[..., 0]).all()
    assert made().digest == plain.digest
    assert plain.masks.any()
