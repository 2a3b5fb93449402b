from dataclasses import replace

import cv2
import numpy as np
import pytest

from bearing_search.analysis.contracts.contract import Contract
from bearing_search.analysis.contracts.judged_part import JudgedPart, judge
from bearing_search.analysis.contracts.views import view_rule
from bearing_search.analysis.postprocess_settings import present_setting
from bearing_search.reporting.contracts.contract_json import Source, part_content
from bearing_search.reporting.contracts.contract_page import contract_page
from bearing_search.reporting.contracts.histogram import histogram_png
from bearing_search.reporting.contracts.wrong_picture import MOST_ROWS, shown_samples, wrong_picture


@pytest.fixture
def judged(predictions):
    """Judges normal and anomalous scores as one fold; returns the part and the fold."""

    def judged(normal, anomalous, **asked):
        count = len(normal) + len(anomalous)
        scored = replace(
            predictions(0.0, num=count),
            image_scores=np.array([*normal, *anomalous], dtype=np.float32),
            is_anomalous=np.arange(count) >= len(normal),
            names=tuple(f"LC/train/x/s{i}" for i in range(count)),
        )
        contract = Contract(views=view_rule("each"), **asked)
        found = judge("LC", {"LC/fold0": scored}, contract, has_drawn_defects=False)
        assert isinstance(found, JudgedPart)
        return found, {"LC/fold0": scored}

    return judged


@pytest.fixture
def source(predictions):
    return Source(
        sweep="first",
        trial=3,
        config_digest="c",
        data_digest="d",
        setting=present_setting(predictions(0.0)),
        trials_compared=7,
    )


def test_the_page_says_what_is_proven_and_what_it_takes(judged, source):
    part, _ = judged(range(20), range(15, 30), max_miss=0.2)
    page = contract_page(source, [part], shows_p_values=True)
    assert "chosen among 7 trials by the same samples" in page
    # halfway between the normal 14, standardised without itself, and the lowest defect;
    # 0 of 15: 1 - .05^(1/15) = 18.11 %; 5 errors of 50 prove 20 %, those of 49 do not
    assert "| **chosen** | 0.8609 | 0 of 15 (0 %) | 18.2 % | 5 of 20 (25 %) | 45.6 % |" in page
    assert "takes 30 more normal groups, none of them wrong" in page
    assert "| 0.05 | 1 of 20 | " in page


def test_a_part_without_defects_has_a_page_and_a_picture(judged, source):
    part, _ = judged(range(20), [], max_overkill=0.2)
    page = contract_page(source, [part], shows_p_values=True)
    assert "nothing is known of the other error" in page
    assert "| no group | 100 % |" in page
    assert cv2.imdecode(np.frombuffer(histogram_png(part), np.uint8), 1).shape[1] > 500
    assert part_content(part)["evidence"]["chosen"]["miss"]["rate"] is None


def test_scores_without_a_unit_are_shown_with_that_caveat(judged, source):
    part, _ = judged([1.0, 2.0, 3.0], range(4, 20), max_miss=0.2)
    assert "too few unseen normal samples" in contract_page(source, [part], shows_p_values=False)
    assert part_content(part)["models"] == {}


def test_many_wrong_verdicts_of_one_kind_do_not_hide_the_other(judged):
    part, folds = judged(range(60), [*range(25), 70.0], max_overkill=0.9, confidence=0.5)
    shown = shown_samples(part)
    assert len(part.wrong) > len(shown) == MOST_ROWS
    kinds = {one.is_anomalous for one, _, _ in shown}
    assert kinds == {one.is_anomalous for one in part.wrong}
    picture = wrong_picture(part, folds, None)
    assert picture.shape[0] > MOST_ROWS * 200
