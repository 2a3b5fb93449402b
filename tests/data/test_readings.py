"""What the files of a part have in common: found on train, one for the part and all its levels."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from bearing_search.config import TrialConfig, parse
from bearing_search.data import part_reading
from bearing_search.data.dataset import DataSet, load_data_set
from bearing_search.data.decoding.bit_depth import FileDepth, depth_of_part
from bearing_search.data.readings import depth_lines, with_readings
from bearing_search.data.samples import read_levels
from bearing_search.errors import DataError

GREY = (np.add.outer(np.arange(32), np.arange(40)) * 3 % 200 + 20).astype(np.uint16)


def write(file: Path, pixels) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".tif":
        tifffile.imwrite(file, pixels, photometric="minisblack", metadata=None)
    else:
        cv2.imwrite(str(file), pixels)


def read(root: Path, **preprocess) -> DataSet:
    config = parse(TrialConfig, {"preprocess": preprocess})
    return with_readings(load_data_set(root), config, cache=root / "cache")


def peaks(data_set: DataSet, split="train") -> list[int]:
    return [int(level.max()) for s in data_set.samples(split) for level in read_levels(s)]


@pytest.fixture
def twelve_bits(tmp_path):
    """A part of two levels whose darker one would pass for 10 bits, with a test sample."""
    for name, scale in (("a", 16), ("b", 12)):
        write(tmp_path / f"LC/train/good/{name}_b0.png", GREY * scale)
        write(tmp_path / f"LC/train/good/{name}_b1.png", GREY * 4)
    write(tmp_path / "LC/test/good/t_b0.png", GREY * 18)
    write(tmp_path / "LC/test/good/t_b1.png", GREY * 4)
    return tmp_path


def test_the_depth_of_all_levels_scales_each_of_them(twelve_bits):
    found = read(twelve_bits)
    assert found.depths["LC"].bits == 12
    assert peaks(found) == [218, 54, 218 * 12 // 16, 54]
    assert peaks(found, "test") == [218 * 18 // 16, 54]
    line = depth_lines(found.depths)["LC"]
    assert line.startswith("LC: 12 bits in 16 (largest value 3488")
    assert "preprocess.bits: {LC: 16}" in line


def test_a_depth_that_is_set_wins_over_what_is_found(twelve_bits):
    assert peaks(read(twelve_bits, bits={"LC": 14})) == [54, 13, 40, 13]
    assert depth_lines(read(twelve_bits, bits={"LC": 16}).depths) == {}


def test_what_a_sweep_found_is_not_looked_for_again(twelve_bits):
    data_set = load_data_set(twelve_bits)
    cache = twelve_bits / "cache"
    found = with_readings(data_set, TrialConfig(), cache=cache, known={"LC": 16})
    assert found.depths["LC"].bits == 16
    assert not cache.exists()


def test_a_file_of_test_that_does_not_fit_is_named(twelve_bits):
    write(twelve_bits / "LC/test/good/t_b0.png", GREY * 250)
    found = read(twelve_bits)
    with pytest.raises(DataError, match=r"t_b0.png: holds the value 54500, which exceeds 12 bits"):
        peaks(found, "test")


def test_test_files_are_not_opened_for_it(twelve_bits):
    data_set = load_data_set(twelve_bits)
    for file in (twelve_bits / "LC/test/good").iterdir():
        file.unlink()
    assert with_readings(data_set, TrialConfig(), cache=twelve_bits / "c").depths["LC"].bits == 12


def test_a_depth_is_measured_once_and_kept_under_the_content(twelve_bits, monkeypatch):
    read(twelve_bits)
    measured: list[object] = []
    monkeypatch.setattr(part_reading, "_measured", measured.append)
    assert read(twelve_bits).depths["LC"].bits == 12
    assert measured == []


def test_eight_bits_need_no_pixel_and_no_cache(tmp_path, monkeypatch):
    write(tmp_path / "LC/train/good/a.png", GREY.astype(np.uint8))
    write(tmp_path / "LC/train/good/b.jpg", GREY.astype(np.uint8))
    monkeypatch.setattr(part_reading, "decode", None)
    found = read(tmp_path)
    assert found.depths["LC"].bits == 8
    assert depth_lines(found.depths) == {}
    assert not (tmp_path / "cache").exists()


def wide(peak: int, **facts) -> FileDepth:
    return FileDepth(container=16, **{"peak": peak, "used": 2 * peak | 1, **facts})


@pytest.mark.parametrize(
    ("files", "bits", "doubt"),
    [
        ([wide(65535)], 16, ""),
        ([wide(16384)], 16, ""),
        ([wide(16383)], 14, ""),
        ([wide(4096)], 14, ""),
        ([wide(4095), wide(300)], 12, ""),
        ([wide(1023)], 10, ""),
        ([wide(255)], 8, "nearly black"),
        ([FileDepth(container=8), wide(4000)], 12, ""),
        ([wide(900, stated=12)], 12, ""),
        ([wide(900, stated=12), wide(100)], 12, "some files state 12 and some nothing"),
        ([wide(60000, stated=12)], 16, ""),  # sBIT of a picture that fills 16 bits
        ([wide(900, stated=16)], 16, ""),  # packed: scaled by its decoder
        ([wide(9000, used=0xFFF0)], 16, ""),  # shifted to the top
        ([wide(3488, used=0xFF0)], 12, "shifted to the top of 16"),
        ([wide(12850, is_8_bit_scaled=True)], 16, ""),
    ],
)
def test_a_part_has_the_depth_that_holds_all_its_numbers(files, bits, doubt):
    found = depth_of_part(files)
    assert found.bits == bits
    assert doubt in found.doubt
    assert bool(doubt) == bool(found.doubt)


def test_pages_are_levels_where_each_sample_is_one_file(tmp_path):
    stack = np.stack([GREY, GREY // 2, GREY // 4]).astype(np.uint8)
    for name in ("train/good/a", "train/good/b", "test/good/t"):
        write(tmp_path / f"LC/{name}.tif", stack)
    found = read(tmp_path)
    assert {sample.num_levels for sample in found.all_samples} == {3}
    assert peaks(found) == 2 * [218, 109, 54]


def test_samples_of_different_numbers_of_pages_are_refused(tmp_path):
    write(tmp_path / "LC/train/good/a.tif", np.stack([GREY, GREY]))
    write(tmp_path / "LC/train/good/b.tif", GREY)
    with pytest.raises(DataError, match=r"b.tif: gives 1 brightness level, a.tif gives 2"):
        read(tmp_path)


def test_a_test_sample_of_another_number_of_pages_is_refused(tmp_path):
    write(tmp_path / "LC/train/good/a.tif", np.stack([GREY, GREY]))
    write(tmp_path / "LC/test/good/t.tif", GREY)
    found = read(tmp_path)
    with pytest.raises(DataError, match=r"t.tif gives 1 of the 2 brightness levels of LC"):
        peaks(found, "test")


def test_pages_beside_level_names_are_refused(tmp_path):
    write(tmp_path / "LC/train/good/a_b0.tif", np.stack([GREY, GREY]))
    write(tmp_path / "LC/train/good/a_b1.tif", GREY)
    with pytest.raises(DataError, match=r"a_b0.tif: holds 2 pages"):
        peaks(read(tmp_path))


def test_a_fifo_among_training_files_is_named_and_not_waited_for(tmp_path):
    write(tmp_path / "LC/train/good/a.png", GREY)
    data_set = load_data_set(tmp_path)
    (tmp_path / "LC/train/good/a.png").unlink()
    os.mkfifo(tmp_path / "LC/train/good/a.png")
    with pytest.raises(DataError, match=r"a.png: is a named pipe \(FIFO\), not an image file"):
        with_readings(data_set, TrialConfig(), cache=tmp_path / "cache")
