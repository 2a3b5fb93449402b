from dataclasses import replace

import numpy as np
import pytest

from bearing_search.analysis.contracts.contract import Contract
from bearing_search.analysis.contracts.decision import Shortfall
from bearing_search.analysis.contracts.judged_part import JudgedPart, judge
from bearing_search.analysis.contracts.views import view_rule


@pytest.fixture
def fold(predictions):
    """Makes a fold of the given scores; the first half is normal unless said otherwise."""

    def make(normal, anomalous, name, groups=None):
        count = len(normal) + len(anomalous)
        made = predictions(0.0, num=count)
        return replace(
            made,
            image_scores=np.array([*normal, *anomalous], dtype=np.float32),
            is_anomalous=np.arange(count) >= len(normal),
            groups=groups or tuple(f"{name}{i}" for i in range(count)),
            names=tuple(f"LC/train/x/{name}{i}" for i in range(count)),
            defects=("good",) * len(normal) + ("dent",) * len(anomalous),
        )

    return make


def judged(folds, **asked) -> JudgedPart:
    rule = view_rule(asked.pop("views", "each"))
    found = judge("LC", folds, Contract(views=rule, **asked), has_drawn_defects=False)
    assert isinstance(found, JudgedPart)
    return found


def test_folds_of_other_scale_meet_in_one_unit_and_each_model_gets_its_threshold(fold):
    normal, anomalous = [0.0, 1.0, 2.0, 3.0, 4.0], [9.0, 3.5]
    first = fold(normal, anomalous, "a")
    moved = replace(fold(normal, anomalous, "b"), image_scores=10 + 100 * first.image_scores)
    found = judged({"LC/fold0": first, "LC/fold1": moved}, max_miss=0.6)
    assert found.unit == "standardised"
    assert found.groups.scores[found.groups.is_anomalous] == pytest.approx(
        [7 / 2.5**0.5, 1.5 / 2.5**0.5] * 2
    )
    limits = [scale.score_of(found.decision.chosen.ng_from) for scale in found.scales.values()]
    assert limits[1] == pytest.approx(10 + 100 * limits[0])
    assert 3 < limits[0] < 3.5  # between the lowest defect and the normal one below


def test_few_normals_leave_the_scores_as_they_are(fold):
    found = judged(
        {"LC/fold0": fold([1.0, 2.0, 3.0], [2.5, 8.0, 9.0, 10.0, 11.0], "a")}, max_miss=0.5
    )
    assert (found.unit, found.scales) == ("score", {})
    assert found.decision.chosen.ng_from == 2.25
    same = judged({"LC/fold0": fold([1.0] * 5, [2.0] * 5, "a")}, max_miss=0.5)
    assert same.unit == "score"


def test_wrong_verdicts_name_the_samples_the_farthest_first(fold):
    scored = fold([0.0, 1.0, 2.0], [0.5, 5.0, 6.0, 7.0, 8.0, 9.0], "a")
    found = judged({"LC/fold0": scored}, max_overkill=0.7)
    assert [(w.group, w.verdict, w.is_anomalous) for w in found.wrong] == [("a3", "OK", True)]
    assert found.wrong[0].samples == (("LC/fold0", "LC/train/x/a3"),)
    strict = judged({"LC/fold0": scored}, max_miss=0.4)
    assert [w.group for w in strict.wrong] == ["a2", "a1"]
    assert set(found.kinds) == {"good", "dent"}


def test_a_group_is_judged_by_its_rule_and_lists_its_views(fold):
    groups = ("g0", "g0", "g1", "g1", "d0", "d0", "d1", "d1")
    scored = fold([0.0, 3.0, 1.0, 1.5], [2.0, 2.0, 9.0, 0.5], "a", groups)
    each = judged({"LC/fold0": replace(scored, image_scores=scored.image_scores)}, max_miss=0.8)
    assert each.groups.anomalous == pytest.approx(sorted(each.groups.anomalous))
    assert len(each.groups.names) == 4
    mean = judged({"LC/fold0": scored}, max_miss=0.8, views="mean")
    assert mean.decision.chosen.miss.errors == 0
    wrong = judged({"LC/fold0": scored}, max_miss=0.8, views="any").wrong
    assert [(w.group, len(w.samples)) for w in wrong] == [("g0", 2)]


def test_what_cannot_be_promised_is_returned_as_it_is(fold):
    found = judge(
        "LC",
        {"LC/fold0": fold(range(5), range(3), "a")},
        Contract(views=view_rule("each"), max_miss=0.1),
        has_drawn_defects=False,
    )
    assert isinstance(found, Shortfall)
    assert found.groups == 3
