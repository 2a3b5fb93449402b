"""Thresholds in the unit of the final model; the simulation is that of benchmarks/thresholds.py."""

import importlib.util
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bearing_search.analysis.operating.thresholds import (
    FoldScores,
    PooledScores,
    pooled_scores,
    promised_threshold,
    threshold_below,
)

FILE = Path(__file__).parents[3] / "benchmarks/thresholds.py"


@pytest.fixture(scope="module")
def simulation():
    spec = importlib.util.spec_from_file_location("threshold_simulation", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def fold(normal, anomalous=(), name="a"):
    scores = np.array([*normal, *anomalous], dtype=float)
    return FoldScores(
        scores=scores,
        is_anomalous=np.arange(len(scores)) >= len(normal),
        groups=tuple(f"{name}{i}" for i in range(len(scores))),
    )


def raw(normal, anomalous=()):
    return pooled_scores([fold(normal, anomalous)])


def test_a_promised_threshold_lies_halfway_above_the_conformal_rank():
    # ceil(20 x .95) = 19 of 19: above all of them, halfway to the lowest defect
    assert promised_threshold(raw(range(19), [22.0, 30.0])) == 20.0
    # ceil(40 x .95) = 38 of 39
    assert promised_threshold(raw(range(39))) == 37.5
    assert promised_threshold(raw(range(9)), alpha=0.1) == np.nextafter(8, 9)


def test_fewer_normals_than_a_promise_takes_get_none():
    assert promised_threshold(raw(range(18))) is None
    assert promised_threshold(raw(range(19))) is not None


def test_a_group_counts_once_by_its_highest_normal_sample():
    alone = fold([*range(18), 30.0], [10.0])
    assert promised_threshold(pooled_scores([alone])) is not None
    pair = replace(alone, groups=("a0", "a0", *alone.groups[2:]))
    assert promised_threshold(pooled_scores([pair])) is None  # 18 groups
    twice = replace(alone, scores=alone.scores + 1)  # scored by two models: still 19 groups
    assert promised_threshold(pooled_scores([alone, twice])) == np.nextafter(31, 32)


def test_ties_are_never_flagged_by_half():
    # the rank falls into a tie of five, which is kept whole
    pool = raw([*range(34), 50, 50, 50, 50, 50], [60.0])
    assert promised_threshold(pool) == 55.0
    assert (pool.scores[~pool.is_anomalous] >= 55).sum() == 0


def test_a_threshold_below_a_score_flags_it_and_not_the_next():
    assert threshold_below(raw([1.0, 2.0, 2.0], [4.0]), 4.0) == 3.0
    assert threshold_below(raw([1.0, 2.0, 2.0], [2.0]), 2.0) == 1.5
    lowest = threshold_below(raw([2.0], [1.0]), 1.0)
    assert lowest < 1.0 == pytest.approx(lowest)


def test_a_normal_sample_is_standardised_by_the_others_and_a_defect_by_all():
    normal, others = [1.0, 2.0, 4.0, 8.0], [2.0, 4.0, 8.0]
    pool = pooled_scores([fold(normal, [20.0])], fold([0.0, 1.0, 2.0, 5.0], name="c"))
    first = (1 - np.mean(others)) / np.std(others, ddof=1)
    defect = (20 - np.mean(normal)) / np.std(normal, ddof=1)
    assert pool.scores[[0, 4]] == pytest.approx([first, defect])
    assert (pool.centre, pool.scale) == (2.0, pytest.approx(np.std([0, 1, 2, 5], ddof=1)))
    assert len(pool.scores) == 9  # the calibration samples join
    assert pool.is_anomalous.sum() == 1


def test_scale_and_offset_of_a_model_do_not_matter():
    rng = np.random.default_rng(0)
    folds = [fold(rng.normal(size=12), [4.0], name=f"{k}-") for k in range(3)]
    own = fold(rng.normal(size=12), name="c")
    moved = [replace(f, scores=3 + k * f.scores) for k, f in enumerate(folds, start=1)]
    before = pooled_scores(folds, own)
    after = pooled_scores(moved, replace(own, scores=7 + 0.1 * own.scores))
    limit = promised_threshold(before)
    assert promised_threshold(after) == pytest.approx(7 + 0.1 * limit)


def test_too_few_or_equal_samples_have_no_unit():
    folds = [fold(range(4))]
    assert pooled_scores(folds, fold(range(4))) is not None
    assert pooled_scores(folds, fold(range(3))) is None
    assert pooled_scores([*folds, fold(range(3))], fold(range(4))) is None
    assert pooled_scores(folds, fold([1] * 5)) is None
    constant = pooled_scores([fold([1, 1, 1, 1], [2])], fold(range(4)))
    assert constant.scores[:5].tolist() == [0, 0, 0, 0, math.inf]


def test_where_the_others_do_not_scatter_a_shift_is_infinite_in_its_direction():
    own = fold(range(4))
    assert pooled_scores([fold([1, 1, 1, 1], [0.5])], own).scores[4] == -math.inf
    # 0.1 and 0.7 are no binary fractions: what remains of their squares is as often below 0
    for value in (0.1, 0.7, 1.1, 2.3):
        for far, sign in ((value + 0.6, 1), (value - 0.6, -1)):
            pool = pooled_scores([fold([value] * 6 + [far])], own)
            assert np.isfinite(pool.scores[:6]).all()
            assert sign * pool.scores[6] > 1e6


def test_a_score_is_moved_into_the_models_unit():
    scores, labels = np.array([1.0, 3.0]), np.array([False, True])
    pool = PooledScores(
        scores=scores, is_anomalous=labels, groups=("a", "b"), centre=10.0, scale=5.0
    )
    assert threshold_below(pool, 3.0) == 10 + 5 * 2


@pytest.mark.parametrize("folds", [2, 5])
@pytest.mark.parametrize("detector", ["padim", "patchcore", "decoder", "heavy"])
def test_the_promise_is_kept(simulation, detector, folds):
    share, error, _ = simulation.overkill(detector, 40, folds, 60)
    assert 0.01 < share <= 0.05 + 2 * error


def test_the_scores_of_the_folds_would_not_keep_it(simulation):
    assert simulation.overkill("decoder", 40, 2, 60)[2] > 0.1
    assert simulation.overkill("padim", 40, 2, 60)[2] < 0.01  # and so find fewer defects
