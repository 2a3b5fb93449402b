"""Copies, photographs taken again, and parts before one background, from files to findings."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearing_search.data.dataset import load_data_set
from bearing_search.data_checks.leaks import find_leaks
from bearing_search.data_checks.matching.images.description import describe
from bearing_search.data_checks.matching.images.pose import how_turned, pose, turned
from bearing_search.data_checks.matching.images.registration import mirror
from tests.data_checks.conftest import SIDE, before_lamps, plate, write


def findings(root, cache):
    return find_leaks(load_data_set(root).all_samples, cache).findings


def write_jpeg(root, image: np.ndarray, quality: int) -> None:
    """A test sample `copy`."""
    folder = root / "lid/test/good"
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "copy.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, quality])


def again(image: np.ndarray, seed: int, noise: float = 2.0) -> np.ndarray:
    """The same thing in the same place, photographed with other noise."""
    rng = np.random.default_rng(seed)
    return np.clip(image + noise * rng.normal(size=image.shape), 0, 255).astype(np.uint8)


def rotated(image: np.ndarray, angle: float) -> np.ndarray:
    affine = cv2.getRotationMatrix2D(((SIDE - 1) / 2,) * 2, angle, 1.0)
    return cv2.warpAffine(image, affine, (SIDE, SIDE), flags=cv2.INTER_CUBIC)


@pytest.mark.slow
@given(
    angle=st.floats(-180, 180),
    is_mirrored=st.booleans(),
    gain=st.floats(0.6, 1.1),
    cut=st.tuples(*[st.integers(0, 8)] * 4),
    quality=st.integers(70, 95),
)
@settings(max_examples=6, deadline=None)
def test_a_copy_is_a_leak_however_turned_lit_cropped_and_recompressed(
    tmp_path_factory, angle, is_mirrored, gain, cut, quality
):
    root = tmp_path_factory.mktemp("copies")
    for seed in range(5):
        write(root / "lid", "train", f"s{seed}", plate(seed))
    image = rotated(plate(2)[:, ::-1] if is_mirrored else plate(2), angle)
    left, top, right, bottom = cut
    image = image[top : SIDE - bottom, left : SIDE - right]
    write_jpeg(root, np.clip(image * gain, 0, 255).astype(np.uint8), quality)

    (found,) = findings(root, root / "cache")

    assert (found.severity, found.kind) == ("leak", "copy")
    assert found.samples == ("lid/test/good/copy", "lid/train/good/s2")
    assert "the first in test, the second in train" in found.text
    assert found.is_mirrored == is_mirrored
    assert found.evidence > 0.75


@pytest.mark.slow
def test_shots_of_one_place_are_a_warning_to_give_them_one_group(tmp_path):
    for position in range(3):
        for shot in range(5):
            split = "test" if shot == 4 else "train"
            write(
                tmp_path / "lid",
                split,
                f"p{position}s{shot}",
                again(plate(position), 10 * position + shot),
            )

    found = findings(tmp_path, tmp_path / "cache")

    assert {one.severity for one in found} == {"warning"}
    scenes = [one for one in found if one.kind == "again"]
    # one for those on both sides, one for those on one side
    assert 1 <= len(scenes) <= 2
    assert len({name for one in scenes for name in one.samples}) > 8
    assert all("one group in manifest.csv" in one.advice for one in scenes)
    assert any("keep it on one side" in one.advice for one in scenes)


def test_a_copy_among_shots_of_one_place_is_told_from_them(tmp_path):
    for shot in range(6):
        write(tmp_path / "lid", "train", f"s{shot}", again(plate(0), shot, noise=4))
    for seed in range(1, 5):
        write(tmp_path / "lid", "train", f"t{seed}", plate(seed))
    write_jpeg(tmp_path, again(plate(0), 3, noise=4)[:, ::-1].copy(), 85)

    leaks = [one for one in findings(tmp_path, tmp_path / "cache") if one.severity == "leak"]

    assert [one.samples for one in leaks] == [("lid/test/good/copy", "lid/train/good/s3")]


def test_parts_before_one_background_are_no_finding(tmp_path):
    for seed in range(8):
        write(tmp_path / "lid", "test" if seed > 5 else "train", f"s{seed}", before_lamps(seed))
    assert findings(tmp_path, tmp_path / "cache") == ()


@pytest.mark.parametrize("angle", [0, 37, 180])
def test_a_copy_before_one_background_is_found(tmp_path, angle):
    for seed in range(8):
        write(tmp_path / "lid", "train", f"s{seed}", before_lamps(seed))
    write_jpeg(tmp_path, rotated(before_lamps(3), angle), 90)

    leaks = [one for one in findings(tmp_path, tmp_path / "cache") if one.severity == "leak"]

    assert [one.samples for one in leaks] == [("lid/test/good/copy", "lid/train/good/s3")]


@pytest.mark.parametrize("quality", [95, 80])
def test_a_copy_that_was_a_jpeg_once_is_found_too(tmp_path, quality):
    for seed in range(5):
        write(tmp_path / "lid", "train", f"s{seed}", plate(seed))
    _, encoded = cv2.imencode(".jpg", plate(2)[::-1].copy(), [1, quality])
    write(tmp_path / "lid", "test", "copy", cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))
    (found,) = findings(tmp_path, tmp_path / "cache")
    assert (found.severity, found.kind) == ("leak", "copy")


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_copies_of_any_number_of_levels_are_found(tmp_path, levels):
    for seed in range(4):
        write(tmp_path / "lid", "train", f"s{seed}", plate(seed), levels=levels)
    write(tmp_path / "lid", "test", "copy", plate(1)[::-1].copy(), levels=levels)
    (found,) = findings(tmp_path, tmp_path / "cache")
    assert found.samples == ("lid/test/good/copy", "lid/train/good/s1")


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_a_pose_turns_a_picture_as_its_warp_does(quarters, is_mirrored):
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    turn = np.linalg.matrix_power(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), quarters)
    angle, found = pose(turn @ mirror(4) if is_mirrored else turn)
    assert found == is_mirrored
    shown = turned(image, angle, is_mirrored=found)
    assert np.array_equal(shown, np.rot90(image[:, ::-1] if is_mirrored else image, -quarters))


@pytest.mark.parametrize(
    ("angle", "is_mirrored", "words"),
    [
        (0.2, False, ""),
        (0.0, True, "mirrored"),
        (-37.4, True, "mirrored and turned by -37 degrees"),
    ],
)
def test_a_pose_in_words(angle, is_mirrored, words):
    assert how_turned(angle, is_mirrored=is_mirrored) == words


def test_an_even_picture_is_blank():
    assert describe(np.full((90, 90), 7, np.uint8)).is_blank
    assert not describe(plate(0)).is_blank
