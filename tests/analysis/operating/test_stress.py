from dataclasses import replace

import numpy as np
import pytest

from bearing_search.analysis.operating.stress import StressedPart, stressed_parts

SCORES = {
    "unchanged": {"s0": 1.0, "s1": 2.0, "s2": 3.0},
    "exposure +20%": {"s0": 1.5, "s1": 2.5},
    "dent at 0 deg": {"s0": 4.0, "s1": 2.0},
    "dent at 45 deg": {"s0": 0.5, "s1": 6.0},
}
PART = StressedPart(part="LC", scores=SCORES)


def test_scores_are_found_by_variant_and_sample(predictions):
    rows = [(kind, name, score) for kind, each in SCORES.items() for name, score in each.items()]
    scored = replace(
        predictions(1.0, num=len(rows)),
        names=tuple(f"LC/test/{kind}/{name}" for kind, name, _ in rows),
        defects=tuple(kind for kind, _, _ in rows),
        image_scores=np.array([score for _, _, score in rows]),
    )
    assert stressed_parts({"LC/all": scored}) == (PART,)
    assert stressed_parts({}) == ()


def test_changes_and_dents_are_told_apart():
    assert PART.changes == ("unchanged", "exposure +20%")
    assert PART.dents == ("dent at 0 deg", "dent at 45 deg")


def test_a_score_on_the_threshold_is_flagged_as_in_the_rates():
    assert PART.flagged("unchanged", 2.0) == (2, 3)
    assert PART.flagged("unchanged", 2.1) == (1, 3)
    assert PART.flagged("dent at 45 deg", 2.0) == (1, 2)


def test_samples_that_a_change_hides_are_counted_and_undented_ones_are_not():
    assert PART.lost("exposure +20%") == 1
    assert PART.lost("unchanged") == PART.lost("dent at 0 deg") == 0


def test_a_dent_is_hidden_where_its_score_does_not_rise_above_that_of_its_own_sample():
    assert PART.hidden_dents() == (2, 4)  # s1 at 0 deg: equal; s0 at 45 deg: lower


def test_the_median_of_no_score_is_unknown():
    assert PART.median("dent at 45 deg") == pytest.approx(3.25)
    assert np.isnan(StressedPart(part="LC", scores={"unchanged": {}}).median("unchanged"))
