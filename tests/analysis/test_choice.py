from dataclasses import replace

import pytest

from bearing_search.analysis.choice import (
    Saving,
    cost_over_parts,
    normals_of_parts,
    saving,
    to_use,
)
from bearing_search.config import TrialConfig
from bearing_search.evaluation.prediction_files import save_predictions
from bearing_search.training.cost import CostOfUse, cost_of_use


def cost(gflop, megabytes=100.0):
    return CostOfUse(gflop=gflop, megabytes=megabytes)


def test_the_reported_sweep_uses_its_best_setting():
    """.688 and .637 of one detector: they cost the same to use, whatever they took to train."""
    assert to_use([(0.688, cost(40.0)), (0.637, cost(40.0))]) == 0


@pytest.mark.parametrize(
    ("gflop", "megabytes", "chosen"),
    [
        (50.0, 100.0, 1),  # half of the work
        (50.1, 100.0, 0),
        (100.0, 50.0, 1),  # half of the memory
        (100.0, 50.1, 0),
        (50.0, 199.0, 1),
        (50.0, 200.0, 0),  # which twice the memory pays for
        (199.0, 50.0, 1),
        (200.0, 50.0, 0),
        (60.0, 60.0, 0),  # somewhat cheaper in both
    ],
)
def test_half_is_cheaper_and_twice_the_other_is_too_dear(gflop, megabytes, chosen):
    assert to_use([(0.7, cost(100.0)), (0.6, cost(gflop, megabytes))]) == chosen


def test_of_equal_scores_the_first_is_used_wherever_it_stands():
    assert to_use([(0.7, cost(100.0)), (0.7, cost(90.0))]) == 0
    assert to_use([(0.6, cost(100.0)), (0.7, cost(90.0)), (0.7, cost(100.0))]) == 1
    cheap = [(0.7, cost(100.0)), (0.6, cost(40.0)), (0.6, cost(30.0))]
    assert to_use(cheap) == 1


def test_among_the_cheaper_ones_the_highest_is_used_unless_another_is_cheaper_still():
    tied = [(0.70, cost(100.0)), (0.69, cost(45.0)), (0.68, cost(40.0)), (0.67, cost(30.0))]
    assert to_use(tied) == 1
    assert to_use([*tied, (0.60, cost(22.0))]) == 4
    # 80 is within a factor of 2 of 45, but saves nothing worth a lower score
    assert to_use([(0.70, cost(100.0)), (0.69, cost(80.0)), (0.68, cost(45.0))]) == 2


def test_what_is_used_is_materially_cheaper_than_the_best_not_only_than_the_one_between():
    best, between = (0.70, cost(1.0, 1.0)), (0.69, cost(0.5, 1.9))
    last = (0.68, cost(0.95, 0.94))  # half the memory of the one between, for 1.9 times the work
    assert saving(last[1], between[1]).is_material
    assert to_use([best, between, last]) == 1


def test_unknown_costs_never_win():
    assert to_use([(0.7, cost(100.0)), (0.6, None)]) == 0
    assert to_use([(0.7, None), (0.6, cost(1.0))]) == 0
    assert to_use([(0.7, cost(100.0)), (0.65, None), (0.6, cost(1.0))]) == 2
    assert saving(None, cost(1.0)) is None
    assert saving(cost(1.0), None) is None


def test_of_nothing_nothing_is_used():
    assert to_use([]) is None


def test_a_saving_is_how_many_times_less_it_takes():
    assert saving(cost(20.0, 50.0), cost(50.0, 25.0)) == Saving(work=2.5, memory=0.5)


def test_a_model_for_each_part_costs_the_mean_and_one_for_all_has_all_normals():
    config = TrialConfig(detector="patchcore")
    few, many, both = (cost_of_use(config, normals) for normals in (10, 30, 40))
    found = cost_over_parts(config, {"LC": 10, "SC": 30})
    assert found.gflop == pytest.approx((few.gflop + many.gflop) / 2)
    assert found.megabytes == pytest.approx((few.megabytes + many.megabytes) / 2)
    assert cost_over_parts(replace(config, scope="multi_part"), {"LC": 10, "SC": 30}) == both


def test_every_normal_sample_is_counted_in_the_fold_that_held_it_out(tmp_path, predictions):
    for part, fold, num in (("LC", 0, 24), ("LC", 1, 10), ("SC", 0, 7)):
        folder = tmp_path / part / f"fold{fold}"
        folder.mkdir(parents=True)
        save_predictions(predictions(1.0, num=num), folder / "scored.npz")
    assert normals_of_parts(tmp_path) == {"LC": 12 + 5, "SC": 3}
