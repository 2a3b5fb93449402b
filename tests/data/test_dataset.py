import csv
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from bearing_search.data.dataset import content_digest, load_data_set
from bearing_search.data.samples import name_and_level, read_image, read_levels, read_mask
from bearing_search.errors import DataError


def image(file: Path, size=(20, 30), value=100, dtype=np.uint8) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), np.full(size, value, dtype))
    return file


def three_level_part(root: Path, part="LC") -> Path:
    for level in range(3):
        image(root / part / "train/good" / f"a_b{level}.png", value=200 - 80 * level)
        image(root / part / "train/dent" / f"d_b{level}.png", value=200 - 80 * level)
        image(root / part / "test/good" / f"t_b{level}.png", value=200 - 80 * level)
    image(root / part / "ground_truth/dent/d_mask.png", value=255)
    return root


def test_levels_of_one_sample_are_gathered_brightest_first(tmp_path):
    samples = load_data_set(three_level_part(tmp_path)).samples("train", "LC")

    assert [(s.defect, s.name, s.is_anomalous) for s in samples] == [
        ("dent", "d", True),
        ("good", "a", False),
    ]
    assert [int(level[0, 0]) for level in read_levels(samples[1])] == [200, 120, 40]
    assert read_mask(samples[0], (20, 30)).all()
    assert not read_mask(samples[1], (20, 30)).any()


@pytest.mark.parametrize(
    ("file", "name", "level"),
    [
        ("s1_b2.png", "s1", 2),
        ("s1.png", "s1", 0),
        ("a_b1_b0.tif", "a_b1", 0),
        ("s1_b12.png", "s1", 12),
        ("s1_b123.png", "s1_b123", 0),  # at most two digits
        ("s1_b01.png", "s1_b01", 0),  # refused elsewhere: a level without its zero
        ("_b1.png", "_b1", 0),  # no sample
    ],
)
def test_a_file_says_its_sample_and_its_brightness(file, name, level):
    assert name_and_level(Path("LC/train/good") / file) == (name, level)


def test_more_than_ten_levels_are_in_the_order_of_their_numbers(tmp_path):
    for level in reversed(range(12)):
        image(tmp_path / f"LC/train/good/a_b{level}.png", value=200 - 10 * level)
    (sample,) = load_data_set(tmp_path).samples("train", "LC")
    values = [int(level[0, 0]) for level in read_levels(sample)]
    assert values == [200 - 10 * level for level in range(12)]


def test_levels_written_with_a_zero_are_refused(tmp_path):
    for number in range(2):
        image(tmp_path / f"LC/train/good/a_b0{number}.png")
    with pytest.raises(DataError, match="must be named _b0, _b1"):
        load_data_set(tmp_path)


def test_an_mvtec_set_loads_unchanged(tmp_path):
    image(tmp_path / "bottle/train/good/000.png")
    image(tmp_path / "bottle/test/good/000.png")
    image(tmp_path / "bottle/test/broken_large/000.png")
    image(tmp_path / "bottle/ground_truth/broken_large/000_mask.png")
    (tmp_path / "license.txt").write_text("text")

    data_set = load_data_set(tmp_path)

    assert data_set.parts == ("bottle",)
    assert len({s.group for s in data_set.all_samples}) == 3  # equal names, different things
    assert [s.is_anomalous for s in data_set.samples("test")] == [True, False]


def manifest(root: Path, rows: list[dict[str, str]]) -> Path:
    with (root / "manifest.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return root


ROW = {
    "part": "OD",
    "split": "train",
    "label": "normal",
    "defect": "good",
    "sample": "s1",
    "group": "ring7",
    "b0": "x/one.png",
    "mask": "",
    "operator": "ignored",
}


def test_the_manifest_wins_over_the_folders(tmp_path):
    three_level_part(tmp_path)
    image(tmp_path / "x/one.png")

    (sample,) = load_data_set(manifest(tmp_path, [ROW])).all_samples

    assert (sample.part, sample.group, len(sample.level_files)) == ("OD", "ring7", 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"split": "validation"}, "split is 'validation'; wanted train or test"),
        ({"label": "bad"}, "label is 'bad'; wanted normal or anomalous"),
        ({"b0": "x/none.png"}, "line 2: x/none.png does not exist"),
        ({"b0": ""}, "sample s1 has no b0"),
        ({"part": "../LC"}, "'../LC' is not a valid part name"),
    ],
)
def test_a_wrong_line_of_the_manifest_is_named(tmp_path, change, says):
    image(tmp_path / "x/one.png")
    with pytest.raises(DataError, match=re.escape(says)):
        load_data_set(manifest(tmp_path, [ROW | change]))


def test_a_sample_listed_twice_is_refused(tmp_path):
    image(tmp_path / "x/one.png")
    with pytest.raises(DataError, match="lists OD/train/good/s1 twice"):
        load_data_set(manifest(tmp_path, [ROW, ROW]))


def test_a_missing_level_is_named(tmp_path):
    three_level_part(tmp_path)
    (tmp_path / "LC/train/good/a_b1.png").unlink()
    with pytest.raises(DataError, match="brightness level 1 is missing"):
        load_data_set(tmp_path)


def test_a_missing_last_level_is_named(tmp_path):
    three_level_part(tmp_path)
    (tmp_path / "LC/train/good/a_b2.png").unlink()
    with pytest.raises(DataError, match="LC/train/good/a: has 2 of 3 brightness levels"):
        load_data_set(tmp_path)


def test_an_empty_or_missing_folder_says_what_was_wanted(tmp_path):
    with pytest.raises(DataError, match="no images found"):
        load_data_set(tmp_path)
    with pytest.raises(DataError, match="not a folder"):
        load_data_set(tmp_path / "none")


def test_a_part_given_as_data_set_points_to_the_folder_above(tmp_path):
    with pytest.raises(DataError, match="it is one part, not a data set"):
        load_data_set(three_level_part(tmp_path) / "LC")


def test_levels_of_different_size_and_a_mask_of_another_size_are_refused(tmp_path):
    three_level_part(tmp_path)
    image(tmp_path / "LC/train/good/a_b1.png", size=(21, 30))
    dent, good = load_data_set(tmp_path).samples("train")
    with pytest.raises(DataError, match="levels differ in size"):
        read_levels(good)
    with pytest.raises(DataError, match="is 30x20, but its images are 40x30"):
        read_mask(dent, (30, 40))


def test_sixteen_bits_colour_and_alpha_become_eight_bits(tmp_path):
    assert read_image(image(tmp_path / "a.png", value=65535, dtype=np.uint16)).max() == 255
    colour = image(tmp_path / "c.png", size=(4, 5, 3), value=(255, 0, 0))  # blue, to OpenCV
    assert read_image(colour)[0, 0].tolist() == [0, 0, 255]
    assert read_image(image(tmp_path / "g.png", size=(4, 5, 4), value=(9, 9, 9, 255))).shape == (
        4,
        5,
    )


def test_a_faint_mark_of_a_sixteen_bit_mask_counts(tmp_path):
    three_level_part(tmp_path)
    image(tmp_path / "LC/ground_truth/dent/d_mask.png", value=1, dtype=np.uint16)
    assert read_mask(load_data_set(tmp_path).samples("train")[0], (20, 30)).all()


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "x.png").write_text("not an image")
    with pytest.raises(DataError, match=r"x\.png: not a readable image"):
        read_image(tmp_path / "x.png")


def test_the_digest_follows_content_not_place(tmp_path):
    first = load_data_set(three_level_part(tmp_path / "one")).samples("train")
    second = load_data_set(three_level_part(tmp_path / "two")).samples("train")
    assert content_digest(first) == content_digest(second)
    image(tmp_path / "two/LC/train/good/a_b0.png", value=201)
    assert content_digest(first) != content_digest(second)


def test_an_unknown_part_is_refused(tmp_path):
    with pytest.raises(DataError, match="has no part SC; its parts are LC"):
        load_data_set(three_level_part(tmp_path)).chosen_parts(["SC"])


def test_two_samples_cannot_share_a_mask(tmp_path):
    three_level_part(tmp_path)
    for level in range(3):
        image(tmp_path / f"LC/test/dent/d_b{level}.png")
    with pytest.raises(DataError, match="LC/train/dent/d and LC/test/dent/d share the mask"):
        load_data_set(tmp_path)


def test_an_anomalous_sample_may_be_without_a_mask_but_not_beside_one_that_fits_nobody(make_set):
    root = make_set(levels=1)
    masks = root / "plate/ground_truth/dent"
    (masks / "train_s0_mask.png").unlink()
    found = load_data_set(root)
    assert [one.name for one in found.all_samples if one.is_unmasked] == ["train_s0"]

    (masks / "train_s1_mask.png").rename(masks / "train_s1-segmentation.png")
    says = "although ground_truth/dent holds train_s1-segmentation.png (1 in all)"
    with pytest.raises(DataError, match=re.escape(says)):
        load_data_set(root)
