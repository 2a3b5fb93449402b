import numpy as np
import pytest

from bearing_search.analysis.contracts.contract import Contract, Costs
from bearing_search.analysis.contracts.decision import Decision, decide
from bearing_search.analysis.contracts.views import GroupScores, view_rule

EACH = view_rule("each")


def decided(normal, anomalous, **asked) -> Decision:
    scores = np.array([*normal, *anomalous], dtype=float)
    groups = GroupScores(
        scores=scores,
        is_anomalous=np.arange(len(scores)) >= len(normal),
        names=tuple(map(str, range(len(scores)))),
    )
    found = decide(groups, Contract(views=EACH, **asked))
    assert isinstance(found, Decision)
    return found


def test_a_band_above_a_miss_promise_takes_as_many_normals_as_people_can_inspect():
    # OK below 4.5; of 20 normals 15 are above it, and 10 % are 2
    found = decided(range(20), [4.75, 7.25, *range(30, 90)], max_miss=0.05, reinspect=0.1)
    chosen = found.chosen
    assert (chosen.reinspect_from, chosen.ng_from) == (4.375, 6.5)
    assert (chosen.normal_in_band.errors, chosen.defective_in_band) == (2, 1)
    assert chosen.overkill.errors == 13
    assert chosen.miss.errors == 0


def test_a_band_below_an_overkill_promise_catches_defects_that_would_pass():
    found = decided(range(60), [50.5, 57.5, 58.5, 70], max_overkill=0.05, reinspect=0.04)
    chosen = found.chosen
    # NG from above all normals; 4 % of 60 are 2 normals in the band: 59 and 58
    assert (chosen.reinspect_from, chosen.ng_from) == (57.25, 64.5)
    assert (chosen.normal_in_band.errors, chosen.defective_in_band) == (2, 2)
    assert (chosen.miss.errors, chosen.overkill.errors) == (1, 0)


def test_a_tie_that_does_not_fit_stays_outside():
    normal = [0, 1, 2, 2, 2, 3, 4, 5, 6, 7]
    found = decided(normal, np.linspace(1.5, 60, 60), max_miss=0.05, reinspect=0.2)
    assert found.chosen.normal_in_band.errors == 0
    assert found.chosen.ng_from == found.chosen.reinspect_from
    wider = decided(normal, np.linspace(1.5, 60, 60), max_miss=0.05, reinspect=0.3)
    assert wider.chosen.normal_in_band.errors == 3


def test_a_share_of_less_than_one_group_leaves_no_band():
    found = decided(range(10), range(5, 70), max_miss=0.05, reinspect=0.05)
    assert found.chosen.ng_from == found.chosen.reinspect_from


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5])
def test_the_cheapest_pair_is_the_cheapest_of_all_pairs(share):
    rng = np.random.default_rng(3)
    normal, anomalous = rng.normal(size=20), rng.normal(1.5, size=10)
    costs = Costs(miss=7, overkill=2)
    found = decided(normal, anomalous, costs=costs, reinspect=share)
    steps = np.sort([*normal, *anomalous, 99.0])
    best = min(
        (7 * (anomalous < low).sum() / 10 / 3 + 2 * (normal >= high).sum() / 20 * 2 / 3)
        for low in steps
        for high in (steps[steps >= low] if share else [low])
        if ((normal >= low) & (normal < high)).sum() <= share * 20
    )
    assert found.cost == pytest.approx(best)
    assert found.chosen.normal_in_band.errors <= share * 20
