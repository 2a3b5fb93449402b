import math

import numpy as np
import pytest

from bearing_search.trial_history.best import best_of, best_settings, by_setting
from bearing_search.trial_history.records import TrialRecord
from bearing_search.trial_history.seed_noise import pooled_deviation, seed_noise


def trials(*rows):
    """Complete trials from (setting, purpose, seed, value)."""
    return [
        TrialRecord(
            number=number,
            state="complete",
            setting=setting,
            purpose=purpose,
            seed=seed,
            value=value,
        )
        for number, (setting, purpose, seed, value) in enumerate(rows)
    ]


AUDITED = trials(("a", "default", 0, 0.5), ("a", "audit", 1, 0.6), ("b", "search", 0, 0.58))


def test_without_a_second_seed_nothing_is_known():
    assert seed_noise(trials(("a", "default", 0, 0.5), ("b", "search", 0, 0.9))) is None


def test_two_runs_a_tenth_apart_allow_gains_of_nine_tenths():
    noise = seed_noise(AUDITED)

    assert noise.deviation == pytest.approx(0.1 / 2**0.5)
    # Student's t with one degree of freedom is 12.706; times sqrt(2) times .1 / sqrt(2)
    assert noise.smallest_gain == pytest.approx(1.2706, abs=1e-4)
    assert noise.text == (  # the objective lies in [0, 1]
        "2 runs of 1 setting are too few to tell gains from seed noise; audit more seeds."
    )


def test_the_smallest_gain_is_quoted_with_what_it_rests_on():
    rows = [("a", "default", 0, 0.50), ("a", "audit", 1, 0.52), ("a", "audit", 2, 0.51)]

    # Student's t with two degrees of freedom is 4.303; times sqrt(2) times .01
    assert seed_noise(trials(*rows)).text == (
        "Between two single runs, gains below 0.061 are within seed noise (3 runs of 1 setting)."
    )


def test_settings_are_pooled_by_their_degrees_of_freedom():
    rows = [("a", "default", 0, 0.0), ("a", "audit", 1, 0.2), ("a", "audit", 2, 0.1)]
    rows += [("b", "search", 0, 0.5), ("b", "finalist", 1, 0.9)]
    noise = seed_noise(trials(*rows))

    # squares .01 + .01 and .04 + .04 over 2 + 1 degrees of freedom
    assert (noise.settings, noise.runs) == (2, 5)
    assert noise.deviation == pytest.approx((0.1 / 3) ** 0.5)


def test_a_copy_is_no_second_run():
    copy = TrialRecord(number=9, state="complete", setting="b", value=0.58, same_as=2)

    assert seed_noise([*AUDITED, copy]) == seed_noise(AUDITED)


def test_an_audit_run_is_not_chosen_however_lucky():
    assert best_of(AUDITED).number == 2


def test_among_finalists_the_mean_over_seeds_decides():
    found = trials(
        ("a", "default", 0, 0.50),
        ("b", "search", 0, 0.90),
        ("c", "search", 0, 0.80),
        ("b", "finalist", 1, 0.40),
        ("c", "finalist", 1, 0.70),
    )

    assert best_of(found).number == 2
    assert best_of(found[:3]).number == 1


def test_the_base_competes_with_its_audit_once_it_has_as_many_seeds():
    found = trials(
        ("a", "default", 0, 0.85),
        ("a", "audit", 1, 0.95),
        ("b", "search", 0, 0.90),
        ("b", "finalist", 1, 0.80),
    )

    assert best_of(found).number == 0


def test_the_best_settings_are_named_once_each():
    found = trials(
        ("a", "default", 0, 0.5),
        ("a", "audit", 1, 0.99),
        ("b", "search", 0, 0.7),
        ("b", "search", 1, 0.8),
        ("c", "search", 0, 0.6),
    )

    assert [trial.number for trial in best_settings(found, 2)] == [3, 4]
    assert best_settings([], 3) == []


def test_the_pooled_deviation_is_that_of_the_residuals_by_their_degrees_of_freedom():
    groups = [[0.0, 0.2, 0.1], [0.7], [0.5, 0.9]]
    deviation, freedom = pooled_deviation(groups)
    assert freedom == 3
    residuals = np.concatenate([np.array(one) - np.mean(one) for one in groups])
    assert deviation == pytest.approx(math.sqrt((residuals**2).sum() / 3))
    assert pooled_deviation([[0.0, 0.2]])[0] == pytest.approx(np.std([0.0, 0.2], ddof=1))


@pytest.mark.parametrize("groups", [[], [[0.5]], [[0.5], [0.9]]])
def test_single_runs_have_no_deviation(groups):
    deviation, freedom = pooled_deviation(groups)
    assert math.isnan(deviation)
    assert freedom == 1


def test_trials_that_do_not_say_their_setting_have_one_each():
    runs = trials(
        ("a", "default", 0, 0.5),
        ("", "search", 0, 0.6),
        ("a", "audit", 1, 0.4),
        ("", "search", 0, 1),
    )
    assert [[trial.number for trial in of_it] for of_it in by_setting(runs).values()] == [
        [0, 2],
        [1],
        [3],
    ]
