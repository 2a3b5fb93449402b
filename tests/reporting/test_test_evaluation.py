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
from bearing_search.config import PostprocessConfig, ProtocolConfig
from bearing_search.reporting.evaluation_markdown import evaluation_markdown, write_evaluation
from bearing_search.reporting.test_evaluation import (
    ComparedPredictions,
    evaluation_of,
    read_evaluation,
)


@pytest.fixture
def evaluated(tmp_path, predictions):
    def evaluated(tuned, frozen, times_opened=1, calibration=None):
        evaluation = evaluation_of(
            ComparedPredictions(
                tuned=None if tuned is None else {"LC/all": tuned},
                frozen={"LC/all": frozen},
                validation={
                    "LC/fold0": predictions(3.0, seed=4),
                    "LC/fold1": replace(
                        predictions(3.0, seed=5), groups=tuple(f"h{i}" for i in range(24))
                    ),
                },
                protocol=ProtocolConfig(map_px=16),
                calibration=calibration,
                trained_kinds={"LC": {"dent"}},
                postprocess=PostprocessConfig(),
            ),
            sweep="first",
            trial=3,
            times_opened=times_opened,
        )
        write_evaluation(tmp_path, evaluation)
        return evaluation

    return evaluated


def test_an_evaluation_is_read_back_as_it_was_written(tmp_path, predictions, evaluated):
    assert read_evaluation(tmp_path) is None
    assert evaluated(predictions(3.0), predictions(0.5)) == read_evaluation(tmp_path)


def test_a_real_gain_is_called_one(predictions, evaluated):
    evaluation = evaluated(predictions(3.0), predictions(0.5))
    line = evaluation.line("pixel_aupro")
    assert line.difference.low > 0
    assert line.floor == pytest.approx(0.15)
    page = evaluation_markdown(evaluation)
    assert "Fine-tuning helped: pixel_aupro rose by +" in page
    assert "Test opened once" in page
    assert "LC 12 normal + 12 anomalous" in page


def test_no_difference_is_called_undecided_and_a_second_look_is_counted(predictions, evaluated):
    page = evaluation_markdown(
        evaluated(predictions(0.5, seed=7), predictions(0.5), times_opened=2)
    )
    assert "Whether fine-tuning helped is undecided" in page
    assert "Test opened 2 times" in page


def test_different_samples_are_not_subtracted(predictions, evaluated):
    page = evaluation_markdown(evaluated(predictions(3.0), predictions(0.5, names="t")))
    assert "other samples" in page
    assert "cannot be compared" in page


def test_rates_come_with_exact_intervals_at_thresholds_from_the_held_out_folds(
    predictions, evaluated
):
    evaluation = evaluated(predictions(3.0), predictions(0.5))
    assert {one.rule for one in evaluation.rates} == {FIND_ALL, BEST_F1}
    page = evaluation_markdown(evaluation)
    assert "finds every held-out defect of train | " in page
    assert "LC: with 12 normal groups, even no false alarm would allow a rate of up to 22%" in page


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


def test_verdicts_of_parts_are_a_table_of_their_own(tmp_path, predictions, evaluated):
    views = replace(predictions(3.0), groups=tuple(f"g{i // 4}" for i in range(24)))
    assert "physical part" not in evaluation_markdown(evaluated(predictions(3.0), predictions(0.5)))
    evaluation = evaluated(views, views)
    page = evaluation_markdown(evaluation)
    assert "Verdicts per physical part (group)" in page
    assert "with 6 normal groups" in page
    assert repr(read_evaluation(tmp_path)) == repr(evaluation)  # NaN differs from itself


def test_a_frozen_winner_is_not_compared_with_itself(tmp_path, predictions, evaluated):
    evaluation = evaluated(None, predictions(3.0))
    page = evaluation_markdown(evaluation)
    assert "| metric | frozen encoder | floor |" in page
    assert "fine-tuned" not in page
    assert "undecided" not in page
    assert evaluation.line("pixel_aupro").tuned is evaluation.line("pixel_aupro").difference is None
    assert evaluation.rates
    assert evaluation.samples == {"LC": (12, 12)}
    assert read_evaluation(tmp_path) == evaluation


def test_the_highest_of_equally_good_thresholds_raises_the_fewest_alarms():
    # 2/3 from 4 on, with no false alarm, and 2/3 from 1 on, with two
    scores, labels = np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, False, True])
    assert best_f1_threshold(scores, labels) == 4.0
    assert best_f1_threshold(scores[1:], labels[1:]) == 1.0


def test_a_kind_that_train_has_none_of_is_marked(tmp_path, predictions, evaluated):
    kinds = tuple("good" if i % 2 else "crack" if i < 6 else "dent" for i in range(24))
    tuned = replace(predictions(3.0), defects=kinds)
    evaluation = evaluated(tuned, predictions(0.5))
    page = evaluation_markdown(evaluation)
    assert "| LC | crack (not in training) | 3 | 3 of 3 [29%, 100%] |" in page
    assert "| LC | dent | 9 | 9 of 9 [66%, 100%] |" in page
    assert "| LC | 16 patches or more | 12 |" in page
    assert "Without one brightness level" not in page
    assert read_evaluation(tmp_path) == evaluation


def test_levels_with_maps_of_their_own_are_left_out_in_turn(predictions, evaluated):
    tuned = predictions(3.0)
    tuned = replace(
        tuned,
        distances=np.repeat(tuned.distances, 2, axis=1),
        rendering=replace(tuned.rendering, fusion="score_mean"),
    )
    evaluation = evaluated(tuned, predictions(0.5))
    assert [row.subset for row in evaluation.levels] == ["without b0", "without b1"]
    page = evaluation_markdown(evaluation)
    assert "Without one brightness level, at the same thresholds:" in page
    assert page.count("| false alarms: ") == 2


def test_thresholds_are_in_the_unit_of_the_scored_model(tmp_path, predictions, evaluated):
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


def test_the_page_says_what_thresholds_rest_on(tmp_path, predictions, evaluated):
    assert "nothing is promised" in evaluation_markdown(evaluated(predictions(3.0), predictions(1)))
    unit = predictions(3.0)
    aside = {"LC/all": predictions(3.0, seed=9).only(~unit.is_anomalous)}
    evaluation = evaluated(unit, predictions(0.5), calibration=aside)
    assert evaluation.calibration == {"LC": 12}
    page = evaluation_markdown(evaluation)
    assert "by normal samples of train set aside for it (LC 12)" in page
    assert "at most 5% false alarms promised" in page
    assert read_evaluation(tmp_path) == evaluation
