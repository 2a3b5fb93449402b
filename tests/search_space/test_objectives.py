import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearing_search.analysis.pareto import pareto_front
from bearing_search.errors import ConfigError
from bearing_search.search_space.objectives import (
    Constraint,
    ObjectiveSpec,
    ObjectiveValues,
    mean_objective_values,
    objective_spec,
)

AUPRO, AUROC, COST = "val/pixel_aupro", "val/image_auroc", "cost/train_gflop"


def test_without_a_word_the_objective_is_the_pixel_aupro_alone():
    spec = objective_spec(None, None)

    assert spec == ObjectiveSpec()
    assert [str(one) for one in spec.objectives] == ["val/pixel_aupro (max)"]
    assert spec.metrics == spec.missing({}) == []
    assert spec.values_of({}) == ObjectiveValues()
    assert ObjectiveValues().is_feasible


@pytest.mark.parametrize("cost", [COST, "cost/seconds"])  # seconds are of earlier spaces
def test_objectives_and_constraints_are_read_as_written(cost):
    spec = objective_spec(
        [{AUPRO: "max"}, {cost: "min"}], ["val/image_auroc >= .9", f"{cost}<=600"]
    )

    assert [str(one) for one in spec.others] == [f"{cost} (min)"]
    assert [str(one) for one in spec.constraints] == ["val/image_auroc >= 0.9", f"{cost} <= 600"]
    assert spec.metrics == [cost, AUROC]
    assert spec.missing({AUROC: float("nan")}) == [cost, AUROC]


@pytest.mark.parametrize(
    ("objectives", "complaint"),
    [
        ([], "expected a list"),
        ({AUPRO: "max"}, "expected a list"),
        ([AUPRO], "expected a list"),
        ([{AUPRO: "max", COST: "min"}], "expected a list"),
        ([{AUPRO: "min"}], "val/pixel_aupro is 'min'; better is max"),
        ([{AUPRO: "max"}, {COST: "max"}], "better is min"),
        ([{COST: "min"}, {AUPRO: "max"}], "the first must be val/pixel_aupro"),
        ([{AUPRO: "max"}, {AUPRO: "max"}], "appears twice"),
        ([{AUPRO: "max"}, {"val/pixel_aurpo": "max"}], "val/pixel_aurpo is not one of"),
        ([{AUPRO: "max"}, {"test/pixel_aupro": "max"}], "is not one of"),
    ],
)
def test_objectives_that_cannot_be_are_one_clear_line(objectives, complaint):
    with pytest.raises(ConfigError, match=complaint) as error:
        objective_spec(objectives, None)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("constraints", "complaint"),
    [
        ("val/image_auroc >= .9", "expected a list"),
        ([{AUROC: 0.9}], "expected a list"),
        (["val/image_auroc > .9"], "is not a bound"),
        (["val/image_auroc == .9"], "is not a bound"),
        ([".9 <= val/image_auroc"], "val/image_auroc is not a number"),
        (["val/image_auroc >= high"], "high is not a number"),
        (["val/image_auroc >= nan"], "nan is not a number"),
        (["val/image_auroc >= 90"], "lower bound of 0 to 1"),
        (["val/image_auroc <= .9"], "lower bound"),
        (["cost/train_gflop >= 5"], "upper bound above 0"),
        (["cost/seconds <= 0"], "upper bound above 0"),
        (["cost/minutes <= 5"], "is not one of"),
        (["cost/seconds <= 5", "cost/seconds <= 6"], "appears twice"),
    ],
)
def test_constraints_that_cannot_be_are_one_clear_line(constraints, complaint):
    with pytest.raises(ConfigError, match=re.escape(complaint)) as error:
        objective_spec(None, constraints)
    assert "\n" not in str(error.value)


def test_a_constraint_is_missed_by_a_share_of_its_bound():
    auroc = Constraint(metric=AUROC, sense=">=", bound=0.8)
    cost = Constraint(metric=COST, sense="<=", bound=600.0)

    assert auroc.missed_by(0.6) == pytest.approx(0.25)
    assert cost.missed_by(900) == 0.5
    assert (auroc.missed_by(0.8), cost.missed_by(600)) == (0, 0)  # the bound itself is kept
    assert cost.missed_by(300) == -0.5
    assert Constraint(metric=AUROC, sense=">=", bound=0.0).missed_by(0.1) == -0.1


def test_a_setting_is_judged_by_the_mean_over_its_seeds():
    spec = objective_spec([{AUPRO: "max"}, {COST: "min"}], ["val/image_auroc >= .8"])
    poor, good = (spec.values_of({AUROC: auroc, COST: 60.0}) for auroc in (0.7, 0.96))

    assert (poor.is_feasible, good.is_feasible) == (False, True)
    assert poor.text == "misses val/image_auroc >= 0.8"
    assert mean_objective_values([poor, good]).is_feasible
    assert mean_objective_values([poor, good]).scores == pytest.approx({COST: 60.0, AUROC: 0.83})
    assert not mean_objective_values([poor, poor, good]).is_feasible


def test_the_front_is_what_no_other_beats_in_everything():
    points = np.array([[0.9, -50], [0.8, -10], [0.7, -60], [0.8, -20], [0.9, -50], [0.1, -1]])

    assert pareto_front(points).tolist() == [True, True, False, False, True, True]
    assert pareto_front(np.array([[1.0, 2.0]])).tolist() == [True]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_whoever_is_off_the_front_is_beaten_by_somebody_on_it(points):
    table = np.array(points, dtype=float)
    front = pareto_front(table)

    assert front.any()
    for point, is_front in zip(table, front, strict=True):
        beaten = any((other >= point).all() and (other > point).any() for other in table[front])
        assert beaten != is_front


def test_a_space_may_rank_by_whole_images_and_says_whether_it_chose():
    named = objective_spec([{AUROC: "max"}, {COST: "min"}], ["val/image_ap >= .5"])
    assert (named.names_first, named.metrics) == (True, [COST, "val/image_ap"])
    silent = objective_spec(None, ["val/image_ap >= .5"])
    assert not silent.names_first
    assert [str(one) for one in silent.with_first(AUROC).objectives] == ["val/image_auroc (max)"]
    assert silent.with_first(AUROC).constraints == silent.constraints
