from dataclasses import replace

import numpy as np
import pytest

from bearing_search.analysis.operating.thresholds import FoldScores
from bearing_search.errors import ConfigError
from bearing_search.export.adversarial import KINDS, drawn
from bearing_search.export.default_thresholds import ChosenThresholds, default_thresholds
from bearing_search.export.parity import Compared, Parity, part_parity
from bearing_search.preprocess.locate import RoiReference
from bearing_search.runtime.schema import PartFacts
from bearing_search.runtime.verdict import Thresholds

FACTS = PartFacts(
    network="0",
    reference=RoiReference(part="a", geometry="none", num_samples=1, num_found=1),
    bits=8,
    num_levels=1,
    thresholds=Thresholds(ok=2.0, ng=2.0, rule=""),
    score_tolerance=0.1,
)


def said(*scores, shift=0.0, odd=False):
    """Verdicts on samples, and the last of them adversarial if asked."""
    return [
        Compared(
            name=f"s{number}",
            word=FACTS.thresholds.word(score + shift),
            score=score + shift,
            is_adversarial=odd and number == len(scores) - 1,
        )
        for number, score in enumerate(scores)
    ]


def test_equal_scores_pass():
    found = part_parity(FACTS, "a", said(1.0, 1.5, 3.0), [said(1.0, 1.5, 3.0)] * 2)
    assert Parity(parts=(found,)).passes
    assert (found.compared, found.adversarial, found.largest) == (3, 0, 0.0)
    assert found.nearest == 0.5


def test_a_flip_within_the_tolerance_fails_and_is_named_once():
    found = part_parity(FACTS, "a", said(1.0, 1.98), [said(1.0, 1.98, shift=0.05)] * 2)
    assert found.beyond == ()
    assert found.flips == ("s1: OK (1.98) in torch fp32, NG (2.03) exported",)
    parity = Parity(parts=(found,))
    assert not parity.passes
    assert "flips: a: s1: OK (1.98)" in parity.table()


def test_a_score_too_far_away_fails_in_either_batch_size():
    good, far = said(1.0, 3.0), said(1.0, 3.0, shift=0.2)
    found = part_parity(FACTS, "a", good, [good, far])
    assert found.flips == ()
    assert len(found.beyond) == 2
    assert not Parity(parts=(found,)).passes
    broken = [replace(far[0], score=float("nan")), far[1]]
    assert len(part_parity(FACTS, "a", good, [broken]).beyond) == 2


def test_an_adversarial_score_may_differ_as_it_lies_outside():
    wanted = said(1.0, 1.2, 9.0, odd=True)  # some 80 deviations away
    near, far = said(1.0, 1.2, 9.7, odd=True), said(1.0, 1.2, 99.0, odd=True)
    assert Parity(parts=(part_parity(FACTS, "a", wanted, [near]),)).passes
    assert not Parity(parts=(part_parity(FACTS, "a", wanted, [far]),)).passes


def test_a_lost_region_of_interest_is_a_flip():
    lost = [Compared(name="s0", word="no ROI", score=None)]
    assert part_parity(FACTS, "a", said(1.0), [lost]).flips


@pytest.mark.parametrize("kind", KINDS)
def test_adversarial_pictures_are_the_same_in_every_process(kind):
    assert (drawn(kind, (8, 9), seed=1) == drawn(kind, (8, 9), seed=1)).all()
    assert drawn(kind, (8, 8, 3), seed=0).shape == (8, 8, 3)


def scores(normal, anomalous=()):
    both = np.array([*normal, *anomalous], dtype=float)
    labels = np.array([False] * len(normal) + [True] * len(anomalous))
    return FoldScores(scores=both, is_anomalous=labels, groups=tuple(f"{v}" for v in both))


def test_the_default_threshold_is_promised_where_the_samples_allow_it():
    many = np.linspace(0, 1, 40)
    found = default_thresholds([scores(many, [3.0])], scores(many + 10))
    assert found.rule == "at most 5% false alarms promised"
    assert 10.9 < found.ng < 12
    few = default_thresholds([scores([0, 1, 2, 3], [9.0])], scores([10, 11, 12, 13.5]))
    assert few.rule == "best F1 on the held-out folds"
    assert found.ok == found.ng


def test_without_calibration_or_defects_the_rule_says_so():
    found = default_thresholds([scores([0, 1, 2], [9.0])], None)
    assert found.ng == 5.5
    assert "too few normal samples to calibrate" in found.rule
    alone = default_thresholds([scores([0, 1, 2])], None)
    assert alone.word(2.0) == "OK"
    assert alone.word(2.01) == "NG"
    assert "promises nothing" in alone.rule


def test_a_chosen_threshold_is_turned_into_scores_by_the_samples_set_aside():
    chosen = ChosenThresholds(ok=1.0, ng=2.0, is_standardised=True, rule="threshold")
    found = chosen.of_model(scores([9.0, 10.0, 11.0]))  # mean 10, deviation 1
    assert (found.ok, found.ng) == (11.0, 12.0)
    with pytest.raises(ConfigError, match="no normal samples set aside"):
        chosen.of_model(None)
    plain = replace(chosen, is_standardised=False).of_model(None)
    assert (plain.ok, plain.ng) == (1.0, 2.0)
