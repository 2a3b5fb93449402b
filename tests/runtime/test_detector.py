"""Verdicts, with a network whose score is the largest byte of the picture."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from bearing_search.errors import ConfigError
from bearing_search.runtime.backends.protocol import PatchDistances
from bearing_search.runtime.verdict import SampleLevels, Thresholds


def plate(level, shape=(40, 60)):
    return np.full(shape, level, dtype=np.uint8)


@pytest.mark.parametrize(
    ("level", "word", "margin"), [(99, "OK", -51), (100, "re-inspect", -50), (150, "NG", 0)]
)
def test_the_verdict_is_that_of_the_thresholds(detector, level, word, margin):
    found = detector.judge([plate(level)], "a")
    assert (found.word, found.score, found.margin) == (word, level, margin)
    assert found.anomaly_map.shape == (8, 8)
    assert (found.window.width, found.window.height) == (60, 40)
    assert found.brightness == level
    assert detector.parts == ("a", "b", "LC")
    assert detector.versions == {"numpy": "2"}


def test_files_and_arrays_get_the_same_verdict(detector, tmp_path):
    rng = np.random.default_rng(0)
    levels = [rng.integers(0, 120, (50, 50), dtype=np.uint8) for _ in range(2)]
    files = [tmp_path / f"s_b{number}.png" for number in range(2)]
    for file, level in zip(files, levels, strict=True):
        cv2.imwrite(str(file), level)
    by_array, by_file = detector.judge(levels, "b"), detector.judge(files, "b")
    assert by_file.score == by_array.score
    assert (by_file.name, by_array.name) == ("s_b0.png", "the sample")


def test_a_verdict_does_not_depend_on_the_others_of_its_batch(detector):
    rng = np.random.default_rng(1)
    samples = [
        SampleLevels(part="a", levels=[rng.integers(0, 255, (30, 30), dtype=np.uint8)])
        for _ in range(11)
    ]
    samples.insert(4, SampleLevels(part="b", levels=[plate(5)]))
    together = detector.judge_all(samples)
    assert [v.score for v in together] == [
        detector.judge(one.levels, one.part).score for one in samples
    ]
    assert together[4].word == "wrong levels"


def test_what_cannot_be_judged_is_never_ok(detector, tmp_path):
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    cases = {
        "wrong levels": ("b", [plate(1)]),
        "no ROI": ("LC", [plate(90, (200, 200))]),
        "unreadable": ("a", [damaged]),
    }
    for word, (part, levels) in cases.items():
        found = detector.judge(levels, part, name="s1")
        assert (found.word, found.score, found.margin) == (word, None, None)
        assert "s1" in found.reason or "damaged.png" in found.reason
        assert "\n" not in found.reason
    assert "has 1 brightness levels; b was trained with 2" in detector.judge([plate(1)], "b").reason


@pytest.mark.parametrize(
    "array",
    [
        np.full((9, 9), np.nan),
        np.zeros((9, 9), dtype=bool),
        np.zeros((9, 9, 4), dtype=np.uint8),
        np.zeros((0, 9), dtype=np.uint8),
        np.full((9, 9), 300, dtype=np.uint16),  # the part has 8 bits
    ],
)
def test_arrays_that_are_no_pictures_are_unreadable(detector, array):
    assert detector.judge([array], "a").word == "unreadable"
    missing = detector.judge([], "a")
    assert (missing.word, missing.name) == ("wrong levels", "the sample")


def test_levels_of_other_sizes_are_unreadable(detector):
    found = detector.judge([plate(1), plate(1, (9, 9))], "b")
    assert found.word == "unreadable"
    assert "differ in size (60x40, 9x9)" in found.reason


def test_a_score_that_is_no_number_is_never_ok(detector):
    def broken(pixels):
        shape = (len(pixels), 1, 2, 2)
        return PatchDistances(distances=np.full(shape, np.nan, np.float32), own_scores=None)

    found = replace(detector, opened={"0": broken}).judge([plate(5)], "a")
    assert found.word == "unreadable"
    assert "score is nan" in found.reason


def test_an_unknown_part_is_an_error(detector):
    with pytest.raises(ConfigError, match="part SC: this detector knows a, b, LC"):
        detector.judge([plate(5)], "SC")


@pytest.mark.parametrize(("ok", "ng"), [(2.0, 1.0), (0.0, float("nan")), (0.0, float("inf"))])
def test_thresholds_are_finite_and_in_order(ok, ng):
    with pytest.raises(ConfigError, match="wanted two finite numbers, ok at most ng"):
        Thresholds(ok=ok, ng=ng, rule="")
