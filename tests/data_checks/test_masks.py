"""What `check` says of masks that mark too much, are smeared, or lie turned."""

import cv2
import numpy as np
import pytest

from bearing_search.config import PreprocessConfig
from bearing_search.data.dataset import load_data_set
from bearing_search.data_checks.masks.mask_facts import contrasts
from bearing_search.data_checks.quality import facts_of_part
from bearing_search.data_checks.quality_findings import quality_findings

from .conftest import SIDE, plate, write

DENTS = 8


@pytest.fixture
def lids(tmp_path):
    """Writes plates with a dark dent each, and their masks as `draw` makes them of the marks."""

    def make(draw, suffix=".png"):
        part = tmp_path / "data/lid"
        for seed in range(DENTS):
            rng = np.random.default_rng(seed)
            marked = np.zeros((SIDE, SIDE), np.uint8)
            x, y = (int(one) for one in rng.integers(12, SIDE // 2 - 12, 2))
            cv2.ellipse(marked, (x, y), (9, 6), 20, 0, 360, 255, -1)
            image = np.where(marked > 0, plate(seed) // 4, plate(seed))
            write(part, "train", f"d{seed}", image, kind="dent")
            folder = part / "ground_truth/dent"
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"d{seed}_mask{suffix}"), draw(marked))
        samples = load_data_set(tmp_path / "data").all_samples
        facts = facts_of_part(samples, PreprocessConfig(), tmp_path / "cache")
        return [found.text for found in quality_findings(facts) if found.kind == "mask"]

    return make


def test_masks_that_fit_are_not_mentioned(lids):
    assert lids(lambda marked: marked) == []


def test_inverted_masks_are_named_with_their_shares(lids):
    (text,) = lids(lambda marked: 255 - marked)
    assert text.startswith(f"lid: {DENTS} of {DENTS} masks mark more than half")
    assert "99 %" in text
    assert "and 3 more" in text
    assert f"{DENTS} mark all of the border and look inverted" in text


def test_jpeg_masks_are_cut_at_half_and_said_to_be(lids):
    (text,) = lids(lambda marked: marked, suffix=".jpg")
    assert f"{DENTS} of {DENTS} masks are smeared by compression" in text


def test_a_void_value_is_suspected(lids):
    def bordered(marked):
        wide = cv2.dilate(marked, np.ones((3, 3), np.uint8))
        return np.where(marked > 0, 3, wide)

    (text,) = lids(bordered)
    assert "hold 255 beside small numbers" in text


@pytest.mark.parametrize(
    ("turn", "says"),
    [
        (lambda marked: marked[:, ::-1], "mirrored left to right"),
        (lambda marked: marked[::-1], "mirrored top to bottom"),
        (lambda marked: marked[::-1, ::-1], "turned by 180"),
    ],
)
def test_masks_that_are_turned_against_their_pictures_are_named(lids, turn, says):
    (text,) = lids(turn)
    assert f"{DENTS} of {DENTS} masks fit their pictures better {says}" in text


def test_a_mark_stands_out_where_it_lies_and_nowhere_else():
    marked = np.zeros((60, 80), bool)
    marked[10:20, 15:30] = True
    image = np.where(marked, 40, 120).astype(np.uint8)
    here, *elsewhere = contrasts(image, marked)
    assert here == pytest.approx(80)  # greys apart, over a spread of 1
    assert elsewhere == [0, 0, 0]


def test_too_little_and_too_much_tell_nothing():
    image = np.zeros((20, 20), np.uint8)
    assert contrasts(image, np.eye(20, dtype=bool) & (np.arange(20) < 5)) == ()
    assert contrasts(image, np.ones((20, 20), bool)) == ()
