import numpy as np
import pytest

from bearing_search.analysis.contracts.contract import Contract, Costs
from bearing_search.analysis.contracts.decision import Decision, Shortfall, decide
from bearing_search.analysis.contracts.views import GroupScores, view_rule
from bearing_search.analysis.operating.rate_bounds import largest_rate
from bearing_search.errors import ConfigError

EACH = view_rule("each")


def groups(normal, anomalous):
    scores = np.array([*normal, *anomalous], dtype=float)
    return GroupScores(
        scores=scores,
        is_anomalous=np.arange(len(scores)) >= len(normal),
        names=tuple(f"g{i}" for i in range(len(scores))),
    )


def decided(normal, anomalous, **asked) -> Decision:
    found = decide(groups(normal, anomalous), Contract(views=EACH, **asked))
    assert isinstance(found, Decision)
    return found


def test_a_miss_promise_takes_the_highest_threshold_that_it_allows():
    # 95 % confidence, 5 %: none of 59 to 92 may be missed, one of 93
    for count, missed in ((59, 0), (92, 0), (93, 1)):
        found = decided([0.0, 0.4], np.arange(1, count + 1), max_miss=0.05)
        assert found.chosen.ng_from == {0: 0.7, 1: 1.5}[missed]
        assert found.allowed == found.chosen.miss.errors == missed
        assert found.chosen.miss.bound == largest_rate(count, missed) <= 0.05


def test_an_overkill_promise_takes_the_lowest_threshold_that_it_allows():
    for count, flagged in ((59, 0), (93, 1)):
        found = decided(np.arange(count), [count + 1.0], max_overkill=0.05)
        assert found.chosen.ng_from == {0: count, 1: count - 1.5}[flagged]
        assert found.chosen.overkill.errors == flagged
        assert found.chosen.miss.errors == 0


def test_a_threshold_lies_halfway_between_two_scores_of_any_kind():
    found = decided([0.0, 3.0], np.arange(4, 70), max_miss=0.05)
    assert found.chosen.ng_from == 3.5
    above = decided(np.arange(60), [59.5, 80.0], max_overkill=0.05)
    assert above.chosen.ng_from == 59.25


def test_ties_stay_together():
    found = decided([0.0], [1.0, 1.0, *range(2, 93)], max_miss=0.05)  # one of 93 is allowed
    assert found.allowed == 1
    assert found.chosen.ng_from == 0.5
    assert found.chosen.miss.errors == 0


def test_a_promise_beyond_the_data_says_what_they_carry_and_lack():
    found = decide(groups(range(20), range(9)), Contract(views=EACH, max_miss=0.01))
    assert isinstance(found, Shortfall)
    assert (found.side, found.groups, found.needed) == ("miss", 9, 299)
    assert found.carried == pytest.approx(0.2831, abs=5e-5)
    assert found.text == (
        "9 held-out defective groups can prove 28.4 % at best (confidence 95 %); 1 % takes 290 "
        "more of them"
    )
    nothing = decide(groups(range(20), []), Contract(views=EACH, max_miss=0.5))
    assert isinstance(nothing, Shortfall)
    assert nothing.text == "no held-out defective group, which promises nothing; it takes 5"
    other = decide(groups(range(20), range(9)), Contract(views=EACH, max_overkill=0.02))
    assert isinstance(other, Shortfall)
    assert "20 held-out normal groups can prove 14 % at best" in other.text
    assert "129 more" in other.text


def test_what_the_data_carry_is_granted():
    for confidence in (0.8, 0.95):
        rate = largest_rate(9, 0, confidence)
        assert decided(range(20), range(9), max_miss=rate, confidence=confidence).allowed == 0
        below = Contract(views=EACH, max_miss=rate - 1e-9, confidence=confidence)
        assert isinstance(decide(groups(range(20), range(9)), below), Shortfall)


def test_what_the_other_error_takes_to_be_proven():
    found = decided([0.0, 100.0], range(1, 60), max_miss=0.05)  # one of two is flagged
    assert found.chosen.overkill.errors == 1
    assert found.other_needs == 93 - 2
    assert decided(range(59), range(60, 130), max_miss=0.05).other_needs == 0


def test_the_settings_beside_it_change_one_verdict():
    found = decided([0.0, 0.5, 2.5], range(1, 60), max_miss=0.05)
    assert found.chosen.ng_from == 0.75
    assert found.tighter.ng_from == 0.25
    assert (found.tighter.miss.errors, found.tighter.overkill.errors) == (0, 2)
    assert found.looser.ng_from == 1.5
    assert (found.looser.miss.errors, found.looser.overkill.errors) == (1, 1)
    lowest = decided([90.0], range(1, 60), max_miss=0.05)
    assert lowest.tighter is None
    assert lowest.chosen.ng_from < 1


@pytest.mark.parametrize(
    ("miss", "overkill", "expected"), [(100, 1, 1.5), (1, 100, 6.5), (1, 1, 1.5)]
)
def test_the_cheapest_threshold_by_hand(miss, overkill, expected):
    # half of the groups are defective; at equal costs 2.5 is as cheap as 1.5, which is tighter
    costs = Costs(miss=miss, overkill=overkill)
    found = decided([0, 1, 2, 6], [2, 3, 5, 7], costs=costs)
    assert found.chosen.ng_from == expected
    assert found.defect_share == 0.5
    rates = found.chosen.miss.rate, found.chosen.overkill.rate
    assert found.cost == pytest.approx((miss * rates[0] + overkill * rates[1]) / 2)
    assert found.cost_bound > found.cost
    # chosen by these groups: wider than a promise's bound
    assert found.chosen.miss.bound > largest_rate(4, found.chosen.miss.errors)


def test_rare_defects_move_the_cheapest_threshold_up():
    rare = Costs(miss=10, overkill=1, defects=0.01)
    found = decided([0, 1, 2, 6], [2, 3, 5, 7], costs=rare)
    assert found.chosen.ng_from == 6.5
    assert (
        decided([0, 1, 2, 6], [2, 3, 5, 7], costs=Costs(miss=10, overkill=1)).chosen.ng_from == 1.5
    )


def test_costs_need_both_kinds():
    costs = Costs(miss=1, overkill=1)
    for normal, anomalous in (([1.0], []), ([], [1.0])):
        found = decide(groups(normal, anomalous), Contract(views=EACH, costs=costs))
        assert isinstance(found, Shortfall)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"max_miss": 0.1, "max_overkill": 0.1},
        {"max_miss": 0.0},
        {"max_overkill": 1.0},
        {"max_miss": float("nan")},
        {"max_miss": 0.1, "confidence": 1.0},
        {"max_miss": 0.1, "confidence": 0.4},
        {"max_miss": 0.1, "reinspect": 1.0},
        {"max_miss": 0.1, "reinspect": -0.1},
    ],
)
def test_an_impossible_contract_is_refused(asked):
    with pytest.raises(ConfigError, match="wanted"):
        Contract(views=EACH, **asked)


@pytest.mark.parametrize("wrong", [{"miss": 0}, {"overkill": -1}, {"defects": 1.5}])
def test_impossible_costs_are_refused(wrong):
    with pytest.raises(ConfigError, match="wanted"):
        Costs(**{"miss": 1, "overkill": 1, **wrong})
