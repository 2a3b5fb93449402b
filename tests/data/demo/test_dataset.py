import csv
import json
from collections import Counter

import cv2
import numpy as np
import pytest

from bearing_search.config import PreprocessConfig
from bearing_search.data.dataset import load_data_set
from bearing_search.data.demo import dataset
from bearing_search.data.demo.dataset import PAPER_COUNTS, counts, plan, render_demo_set
from bearing_search.data.demo.dents import KINDS, make_dent
from bearing_search.data.demo.parts import render
from bearing_search.errors import DataError
from bearing_search.preprocess.pipeline import Roi, extract, fit_reference


def render_few(root, seed, on_progress=lambda done, total: None):
    """A set small enough for every test: 18 samples."""
    table = {part: {"train": (2, 2), "test": (1, 1)} for part in PAPER_COUNTS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "PAPER_COUNTS", table)
        render_demo_set(root, scale="paper", seed=seed, on_progress=on_progress)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo") / "set"
    steps = []
    render_few(root, 3, lambda done, total: steps.append((done, total)))
    return root, steps


def test_paper_scale_has_the_counts_of_table_1():
    planned = Counter((p.part, p.split, p.defect is not None) for p in plan("paper", 0))
    assert planned == {
        ("LC", "train", False): 30, ("LC", "train", True): 6,
        ("LC", "test", False): 7, ("LC", "test", True): 23,
        ("SC", "train", False): 94, ("SC", "train", True): 7,
        ("SC", "test", False): 24, ("SC", "test", True): 29,
        ("OD", "train", False): 38, ("OD", "train", True): 12,
        ("OD", "test", False): 9, ("OD", "test", True): 46,
    }  # fmt: skip


def test_small_scale_is_a_fifth_rounded_up_with_enough_dented_rings_for_two_folds():
    small = counts("small")
    assert small["SC"] == {"train": (19, 4), "test": (5, 6)}
    assert small["LC"]["train"] == (6, 4)
    assert small["OD"]["test"] == (2, 10)
    dented = {
        p.group for p in plan("small", 0) if p.part == "OD" and p.split == "train" and p.defect
    }
    assert len(dented) >= 2


@pytest.mark.parametrize("scale", ["small", "paper"])
def test_rings_of_od_have_several_views_and_stay_on_one_side(scale):
    planned = list(plan(scale, 0))
    views = Counter(p.group for p in planned if p.part == "OD")
    assert 2 <= max(views.values()) <= 6
    sides: dict[str, str] = {}
    for p in planned:
        assert sides.setdefault(p.group, p.split) == p.split
    assert max(Counter(p.group for p in planned if p.part != "OD").values()) == 1


@pytest.mark.parametrize("scale", ["small", "paper"])
def test_every_part_has_two_normal_rings_in_test_so_that_intervals_exist(scale):
    for part in PAPER_COUNTS:
        tests = [p for p in plan(scale, 0) if p.part == part and p.split == "test"]
        rings = {p.group for p in tests if p.defect is None}
        assert len(rings) >= 2


@pytest.mark.slow
def test_a_rendered_set_is_a_data_set(rendered):
    root, steps = rendered
    data = load_data_set(root)
    assert data.parts == ("LC", "OD", "SC")
    assert len(data.samples("train", "LC")) == 4
    assert all(len(sample.level_files) == 3 for sample in data.all_samples)
    assert steps[0] == (0, 18)
    assert steps[-1] == (18, 18)
    with (root / "manifest.csv").open() as stream:
        assert next(csv.reader(stream)) == list(dataset.MANIFEST_COLUMNS)


@pytest.mark.slow
def test_truth_is_where_the_extraction_finds_it(rendered):
    root, _ = rendered
    outlines = json.loads((root / "truth.json").read_text())["outlines"]
    data, config = load_data_set(root), PreprocessConfig()
    for part in data.parts:
        reference = fit_reference(data.samples("train", part), config)
        for sample in data.samples("train", part):
            roi = extract(sample, reference, config)
            assert isinstance(roi, Roi)
            assert roi.lost_regions == 0
            truth = outlines[sample.title]
            # in OD the rib's inner edge may pass for the outline; its centre lies to one side
            slack = 15 if part == "OD" else 2
            assert roi.shape.x == pytest.approx(truth["cx"], abs=slack)
            assert roi.shape.y == pytest.approx(truth["cy"], abs=slack)


@pytest.mark.slow
def test_equal_seeds_give_equal_bytes_and_others_do_not(rendered, tmp_path):
    root, _ = rendered
    render_few(tmp_path / "again", 3)
    files = sorted(file.relative_to(root) for file in root.rglob("*.*"))
    assert files == sorted(
        file.relative_to(tmp_path / "again") for file in (tmp_path / "again").rglob("*.*")
    )
    assert all((root / f).read_bytes() == (tmp_path / "again" / f).read_bytes() for f in files)
    other = render("LC", None, ring_rng=np.random.default_rng(9), rng=np.random.default_rng(9))
    first = cv2.imread(str(root / "LC/train/good/lc000_b0.png"), cv2.IMREAD_GRAYSCALE)
    assert (other.levels[0] != first).any()


def test_levels_get_darker_and_the_last_of_an_end_face_is_almost_black():
    for part, limit in (("LC", 20), ("SC", 20), ("OD", 80)):
        made = render(part, None, ring_rng=np.random.default_rng(0), rng=np.random.default_rng(0))
        means = [level.mean() for level in made.levels]
        assert means[0] > means[1] > means[2]
        assert means[2] < limit
    assert means[2] > 12  # OD shows something at every level


@pytest.mark.parametrize("kind", KINDS)
def test_a_dent_changes_its_mask_and_nothing_else(kind):
    allowed = np.zeros((300, 300), dtype=bool)
    allowed[50:250, 50:250] = True
    dent = make_dent(
        kind, at=(150.0, 150.0), area_px=800.0, steepness=0.5, allowed=allowed,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    assert 250 < dent.mask.sum() < 1600
    assert not (dent.mask & ~allowed).any()
    for field in (dent.slope_x, dent.slope_y, dent.depth):
        assert (field[~dent.mask] == 0).all()
    assert np.hypot(dent.slope_x, dent.slope_y).max() == pytest.approx(0.5, rel=0.01)


@pytest.mark.slow
def test_anomalous_samples_are_marked_within_the_promised_sizes():
    for seed in range(4):
        for part in ("LC", "SC", "OD"):
            rng = np.random.default_rng(seed)
            made = render(part, KINDS[seed % 3], ring_rng=np.random.default_rng(0), rng=rng)
            assert 0.0001 < made.mask.mean() < 0.012


def test_an_interrupted_rendering_leaves_nothing(tmp_path):
    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_few(tmp_path / "set", 0, interrupt)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_touched(tmp_path):
    with pytest.raises(DataError, match="exists already"):
        render_demo_set(tmp_path, scale="small", seed=0)
