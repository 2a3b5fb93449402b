"""Which metric ranks the settings of a search, before anything starts."""

import re

import pytest

from bearing_search.data.dataset import load_data_set
from bearing_search.errors import ConfigError
from bearing_search.search_space.objectives import ObjectiveSpec, objective_spec
from bearing_search.session.inputs import objective_lines, objective_of

AUPRO, AUROC = "val/pixel_aupro", "val/image_auroc"


@pytest.fixture
def masked(make_set):
    return load_data_set(make_set(levels=1))


@pytest.fixture
def bare(make_set):
    root = make_set(levels=1, name="bare")
    for mask in root.glob("plate/ground_truth/dent/*"):
        mask.unlink()
    return load_data_set(root)


def test_the_labels_decide_where_the_space_is_silent(masked, bare):
    assert objective_of(masked, ObjectiveSpec(), ["plate"]) == AUPRO
    assert objective_of(bare, ObjectiveSpec(), ["plate"]) == AUROC


def test_the_space_decides_where_both_are_possible(masked):
    spec = objective_spec([{AUROC: "max"}], None)
    assert objective_of(masked, spec, ["plate"]) == AUROC
    assert objective_lines(masked, AUROC, ["plate"]) == [
        "objective val/image_auroc, mean over folds of train and all parts, as the space asks"
    ]


@pytest.mark.parametrize(
    ("objectives", "constraints", "named"),
    [
        ([{AUPRO: "max"}], None, AUPRO),
        ([{AUROC: "max"}, {"val/pixel_ap": "max"}], None, "val/pixel_ap"),
        (None, ["val/pixel_f1_max >= .2"], "val/pixel_f1_max"),
    ],
)
def test_metrics_of_pixels_are_refused_without_masks(bare, objectives, constraints, named):
    says = f"the space asks for {named}, but plate: all 4 anomalous samples in train have no mask."
    with pytest.raises(ConfigError, match=re.escape(says)):
        objective_of(bare, objective_spec(objectives, constraints), ["plate"])


def test_why_whole_images_rank_is_said(bare):
    first, second = objective_lines(bare, AUROC, ["plate"])
    assert first.endswith("since masks are missing")
    assert second.startswith("plate: all 4 anomalous samples in train have no mask")
