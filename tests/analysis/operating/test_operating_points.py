from dataclasses import replace

import numpy as np
import pytest

from bearing_search.analysis.intervals import rate_interval
from bearing_search.analysis.operating.operating_points import (
    BEST_F1,
    FIND_ALL,
    PROMISED,
    UNCALIBRATED,
    OperatingPoint,
    best_f1_threshold,
    flagged_rate,
    group_counts,
    group_verdicts,
    operating_points,
)


def with_scores(unit, scores, labels, groups):
    return replace(
        unit,
        image_scores=np.array(scores),
        is_anomalous=np.array(labels, dtype=bool),
        groups=tuple(groups),
    )


def test_a_threshold_and_its_rates_worked_by_hand(predictions):
    def scored(scores, labels, groups):
        return with_scores(predictions(1.0, num=len(scores)), scores, labels, groups)

    folds = {
        "LC/fold0": scored([5.0, 3.0], [1, 0], "ab"),
        "LC/fold1": scored([2.0, 1.0], [1, 0], "cd"),
    }
    test = {"LC/all": scored([4.0, 1.4, 2.5, 0.0, 9.0], [1, 1, 0, 0, 0], "ppqqr")}
    find_all, best_f1 = operating_points(folds, test)
    assert (find_all.threshold, best_f1.threshold) == (1.5, 1.5)  # F1 .8 there, .67 at 5
    assert find_all.found.value == 1 / 2
    assert find_all.false_alarms.value == 2 / 3
    by_group, _ = group_verdicts((find_all, best_f1), test)
    assert by_group.found == rate_interval(1, 1)  # one of its two views is enough
    assert by_group.false_alarms == rate_interval(2, 2)
    assert group_counts(test) == {"LC": (2, 1)}
    assert operating_points({}, test) == ()


def test_folds_and_verdicts_are_those_of_the_same_part(predictions):
    def scored(scores, labels, groups):
        return with_scores(predictions(1.0, num=len(scores)), scores, labels, groups)

    folds = {
        "LC/fold0": scored([5.0, 3.0], [1, 0], "ab"),
        "SC/fold0": scored([50.0, 30.0, 50.0], [1, 0, 1], "abb"),
        "LC/fold1": scored([6.0, 2.0], [1, 0], "cd"),
    }
    test = {
        "LC/all": scored([4.0, 3.9, 0.0], [1, 1, 0], "ppq"),
        "SC/all": scored([40.0, 39.0, 0.0], [1, 1, 0], "ppq"),
    }
    points = operating_points(folds, test)
    assert [(p.part, p.threshold) for p in points] == [("LC", 4.0)] * 2 + [("SC", 40.0)] * 2
    assert [p.found.value for p in points] == [1 / 2] * 4
    verdicts = group_verdicts(points, test)
    assert [(p.part, p.found.value) for p in verdicts] == [("LC", 1)] * 2 + [("SC", 1)] * 2
    assert group_counts(folds) == {"LC": (2, 2), "SC": (1, 2)}
    singles = {"LC/all": scored([4.0, 0.0], [1, 0], "pq"), "SC/all": test["SC/all"]}
    assert group_verdicts(points, singles) == verdicts[2:]


def test_where_groups_hold_both_kinds_rates_are_of_samples(predictions):
    scores = [9.0, 1.0, 1.0, 1.0, 9.0, 9.0, 1.0, 1.0]
    labels = [1, 1, 0, 0, 1, 0, 0, 0]
    test = {"LC/all": with_scores(predictions(1.0, num=8), scores, labels, "aaaabbbb")}
    folds = {"LC/fold0": with_scores(predictions(1.0, num=2), [8.0, 1.0], [1, 0], "cd")}
    point, _ = operating_points(folds, test)
    assert point.found.value == pytest.approx(2 / 3)
    assert point.false_alarms.value == 1 / 5
    verdict, _ = group_verdicts((point,) * 2, test)
    assert verdict.found == rate_interval(2, 2)  # both things are defective, and rejected
    assert verdict.false_alarms.value != verdict.false_alarms.value  # no thing is good
    assert group_counts(test) == {"LC": (2, 2)}


def test_a_threshold_flags_a_score_that_reaches_it(predictions):
    test = {
        "LC/all": with_scores(predictions(1.0, num=4), [2.0, 1.9, 2.0, 1.9], [1, 1, 0, 0], "abcd")
    }
    point = OperatingPoint(
        part="LC",
        rule="",
        threshold=2.0,
        found=rate_interval(0, 1),
        false_alarms=rate_interval(0, 1),
    )
    scored = test["LC/all"]
    assert flagged_rate(scored, 2.0, scored.is_anomalous) == rate_interval(1, 2)
    assert group_verdicts((point,), test) == ()
    pairs = {"LC/all": replace(scored, groups=tuple("aabb"))}
    (verdict,) = group_verdicts((point,), pairs)
    assert verdict.found == verdict.false_alarms == rate_interval(1, 1)


def test_the_highest_of_equally_good_thresholds_raises_the_fewest_alarms():
    # 2/3 from 4 on, with no false alarm, and 2/3 from 1 on, with two
    scores, labels = np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, False, True])
    assert best_f1_threshold(scores, labels) == 4.0
    assert best_f1_threshold(scores[1:], labels[1:]) == 1.0


def test_thresholds_are_in_the_unit_of_the_scored_model(predictions):
    def fold(seed, scale):
        rng = np.random.default_rng(seed)
        labels = [0] * 20 + [1] * 4
        scores = [*rng.normal(10, 1, 20), *rng.normal(20, 1, 4)]
        groups = [f"{seed}-{i}" for i in range(24)]
        return with_scores(predictions(1.0), scale * np.array(scores), labels, groups)

    folds = {f"LC/fold{k}": fold(k, 1 + k) for k in range(3)}  # each model has its scale
    test, aside = fold(7, 0.5), fold(8, 0.5)
    normal = {"LC/all": aside.only(~aside.is_anomalous)}
    points = operating_points(folds, {"LC/all": test}, normal)
    assert [point.rule for point in points] == [PROMISED, FIND_ALL, BEST_F1]
    assert all(5.5 < point.threshold < 10 for point in points)
    assert [point.found.value for point in points] == [1, 1, 1]
    raw = operating_points(folds, {"LC/all": test})
    assert [point.rule for point in raw] == [FIND_ALL, BEST_F1]
    assert raw[0].found.value == 0  # half the scale: none of them is found

    few = {"LC/all": normal["LC/all"].only(np.arange(20) < 3)}
    points = operating_points(folds, {"LC/all": test}, few)
    assert [point.rule for point in points] == [FIND_ALL + UNCALIBRATED, BEST_F1 + UNCALIBRATED]
    assert [point.threshold for point in points] == [point.threshold for point in raw]
