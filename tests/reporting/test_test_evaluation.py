from dataclasses import replace

import numpy as np
import pytest

from bearing_search.analysis.operating.operating_points import BEST_F1, FIND_ALL
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
