import csv
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from bearing_search.data.dataset import load_data_set
from bearing_search.data.demo.dataset import render_demo_set
from bearing_search.data_checks.contact_sheet import write_sheet
from bearing_search.data_checks.leaks import find_leaks
from bearing_search.data_checks.matching import album
from bearing_search.data_checks.names import thing_of
from bearing_search.errors import DataError

from .conftest import SIDE, plate, write


@pytest.fixture
def look(tmp_path):
    """What the guard says of a data set: severity, kind and samples of each finding."""

    def look(root: Path, *, severity=None):
        report = find_leaks(load_data_set(root).all_samples, tmp_path / "cache")
        return [
            (found.severity, found.kind, found.samples)
            for found in report.findings
            if severity in (None, found.severity)
        ]

    return look


def manifest(root: Path, groups: dict[str, str], masks: dict[str, str] | None = None) -> Path:
    """Turns the folders into a manifest, in which samples have groups (and masks)."""
    samples = load_data_set(root).all_samples
    with (root / "manifest.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["part", "split", "label", "sample", "group", "b0", "mask"])
        for sample in samples:
            file, name = sample.level_files[0].relative_to(root), sample.name
            mask = (masks or {}).get(name, "")
            line = [sample.part, sample.split, "normal", name, groups.get(name, name), file, mask]
            rows.writerow(line)
    return root


def test_a_clean_set_is_clean(plates, look):
    assert look(plates()) == []


def test_a_file_in_two_parts_is_a_leak_only_for_a_model_of_both(tmp_path):
    for part, split in (("lid", "train"), ("ring", "test")):
        write(tmp_path / "data" / part, split, "a", plate(1))
        write(tmp_path / "data" / part, "train", f"{part}b", plate(2 + len(part)))
    samples = load_data_set(tmp_path / "data").all_samples

    assert find_leaks(samples, tmp_path / "cache").findings == ()
    (found,) = find_leaks(samples, tmp_path / "cache", together=True).findings
    assert (found.severity, found.kind) == ("leak", "file")


def test_numbered_files_in_both_splits_say_nothing(tmp_path, look):
    for split, first in (("train", 0), ("test", 50)):
        for number in range(4):
            write(tmp_path / "data/lid", split, f"{number:03}", plate(first + number))
    assert look(tmp_path / "data") == []


def test_one_group_on_both_sides_is_a_leak(plates, look):
    root = manifest(plates(), {"s0": "ring07", "s100": "ring07"})
    assert look(root) == [("leak", "group", ("lid/test/good/s100", "lid/train/good/s0"))]


def test_the_same_file_is_a_leak_across_splits_and_a_warning_within(plates, look):
    root = plates()
    shutil.copy(root / "lid/train/good/s1.png", root / "lid/test/good/again.png")
    shutil.copy(root / "lid/train/good/s2.png", root / "lid/train/good/twice.png")
    assert set(look(root)) == {
        ("leak", "file", ("lid/test/good/again", "lid/train/good/s1")),
        ("warning", "file", ("lid/train/good/s2", "lid/train/good/twice")),
    }


def test_black_levels_are_the_same_file_and_no_evidence(plates, look):
    root = plates(levels=2)
    for file in root.rglob("*_b1.png"):
        cv2.imwrite(str(file), np.zeros((SIDE, SIDE), np.uint8))
    assert look(root) == []


def test_a_turned_copy_is_a_leak_and_within_train_a_warning(plates, look):
    root = plates()
    write(root / "lid", "test", "copy", np.ascontiguousarray(np.rot90(plate(4))))
    write(root / "lid", "train", "mirror", np.ascontiguousarray(plate(5)[:, ::-1]))
    assert set(look(root)) == {
        ("leak", "copy", ("lid/test/good/copy", "lid/train/good/s4")),
        ("warning", "copy", ("lid/train/good/mirror", "lid/train/good/s5")),
    }


def test_a_copy_at_another_brightness_level_is_found(plates, look):
    root = plates(levels=2)
    darker = cv2.imread(str(root / "lid/train/good/s3_b1.png"), cv2.IMREAD_GRAYSCALE)
    write(root / "lid", "test", "relit", np.ascontiguousarray(darker[::-1]), levels=2)
    assert look(root) == [("leak", "copy", ("lid/test/good/relit", "lid/train/good/s3"))]


def test_views_of_one_group_on_one_side_are_as_they_should_be(plates, look):
    root = plates()
    write(root / "lid", "train", "view", plate(5)[:, ::-1])
    assert look(manifest(root, {"view": "ring5", "s5": "ring5"})) == []


def test_the_same_thing_photographed_again_is_a_warning(plates, look):
    root = plates()
    noise = 2.0 * np.random.default_rng(0).normal(size=(SIDE, SIDE))
    again = np.clip(plate(2, light=0.5) + noise, 0, 255).astype(np.uint8)
    write(root / "lid", "test", "again", again)
    assert look(root) == [("warning", "again", ("lid/test/good/again", "lid/train/good/s2"))]


def test_parts_do_not_leak_into_each_other(plates, look):
    root = plates()
    for split, first in (("train", 200), ("test", 300)):
        for seed in range(first, first + 4):
            write(root / "cap", split, f"c{seed}", plate(seed))
    write(root / "cap", "test", "other", np.ascontiguousarray(plate(0)[::-1]))
    assert look(root) == []


@pytest.mark.parametrize("is_manifest", [True, False])
def test_a_normal_sample_with_a_mask_is_refused(plates, look, is_manifest):
    root = plates()
    mask = root / "lid/ground_truth/good/s1_mask.png"
    mask.parent.mkdir(parents=True)
    cv2.imwrite(str(mask), np.zeros((SIDE, SIDE), np.uint8))
    if is_manifest:
        manifest(root, {}, {"s1": "lid/ground_truth/good/s1_mask.png"})
    assert look(root) == []
    cv2.imwrite(str(mask), np.eye(SIDE, dtype=np.uint8))
    assert look(root) == [("leak", "label", ("lid/train/good/s1",))]


@pytest.mark.parametrize(
    ("train", "test"),
    [("ring07_a", "ring07_b"), ("Ring_7", "ring007"), ("r12 view1", "R12-view2"), ("a3top", "a3")],
)
def test_names_that_look_shared_are_a_warning(plates, look, train, test):
    root = manifest(plates(), {"s0": train, "s100": test})
    assert look(root) == [("warning", "name", ("lid/test/good/s100", "lid/train/good/s0"))]


@pytest.mark.parametrize(
    ("one", "other", "is_one"),
    [
        ("ring07_a", "RING7-b", True),
        ("ring07", "ring70", False),
        ("lc001_b", "lc001", True),
        ("part1ring2", "part12ring", False),
        ("t041", "t42", False),
    ],
)
def test_what_a_name_names(one, other, is_one):
    assert (thing_of(one) == thing_of(other)) == is_one


@pytest.mark.parametrize("name", ["000", "12", "good", "a"])
def test_plain_numbers_and_words_name_nothing(name):
    assert thing_of(name) == ""


def test_numbering_that_begins_anew_in_every_folder_names_nothing(tmp_path, look):
    for split, first in (("train", 0), ("test", 50)):
        for number in range(4):
            write(tmp_path / "data/lid", split, f"img_{number:03}_a", plate(first + number))
    assert look(tmp_path / "data") == []


def test_a_second_look_opens_no_image_until_something_changes(plates, tmp_path, monkeypatch):
    root, cache = plates(), tmp_path / "cache"
    write(root / "lid", "test", "copy", np.ascontiguousarray(plate(4)[::-1]))
    samples = load_data_set(root).all_samples
    first = find_leaks(samples, cache)

    def refuse(*_):
        raise AssertionError("opened again")

    with monkeypatch.context() as patched:
        patched.setattr(album, "read_pages", refuse)
        assert find_leaks(samples, cache) == first
    for file in cache.rglob("*.json"):
        file.write_text("torn")
    assert find_leaks(samples, cache) == first
    write(root / "lid", "test", "copy", plate(900))
    assert find_leaks(samples, cache).findings == ()


def test_progress_ends_at_the_whole(plates, tmp_path):
    shares: list[float] = []
    find_leaks(load_data_set(plates()).all_samples, tmp_path / "cache", on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


def test_an_unreadable_test_image_is_named(plates, tmp_path):
    root = plates()
    (root / "lid/test/good/s100.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"s100\.png: not a readable image"):
        find_leaks(load_data_set(root).all_samples, tmp_path / "cache")


def test_the_picture_shows_every_pair_alike(plates, tmp_path):
    root = plates()
    write(root / "lid", "test", "copy", np.ascontiguousarray(np.rot90(plate(4)) // 2))
    report = find_leaks(load_data_set(root).all_samples, tmp_path / "cache")

    assert write_sheet(report.findings, tmp_path / "sheet.png")

    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    left, right = sheet[69:319, :250], sheet[69:319, 260:510]
    # turned back and with its greys stretched, the copy looks like the original
    assert np.abs(left.astype(int) - right).mean() < 3
    assert len(np.unique(left)) > 100
    assert not write_sheet([replace(report.findings[0], files=())], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


@pytest.mark.slow  # renders and compares 75 samples
def test_the_demo_set_has_no_leak(tmp_path):
    render_demo_set(tmp_path / "demo", scale="small", seed=0)
    assert (
        find_leaks(load_data_set(tmp_path / "demo").all_samples, tmp_path / "cache").findings == ()
    )
