"""Each cause is called where the truth is that cause, and no other is."""

import numpy as np
import pytest


def states(found):
    return {cause: one.state for cause, one in found.items()}


def darker(share, per_level=-0.01):
    def change(columns):
        light, score, *rest = columns
        return [light * (1 - share), score + per_level * -light * share, *rest]

    return change


def moved(column, by):
    def change(columns):
        return [values + by if at == column else values for at, values in enumerate(columns)]

    return change


def with_defects(number):
    def change(columns):
        scores = columns[1].copy()
        scores[:number] += 1
        return [columns[0], scores, *columns[2:]]

    return change


def test_nothing_has_changed(findings):
    found = findings()
    assert set(states(found).values()) == {"same"}
    assert all(one.advice == "" for one in found.values())


def test_light_that_is_20_percent_darker(findings):
    found = findings(darker(0.2))
    assert states(found)["light"] == "changed"
    assert states(found)["fixture"] == "same"
    assert states(found)["model"] != "changed"
    assert found["light"].measures[1].bounds.low > 0.4  # share beyond the range of training
    measure = found["light"].measures[0]
    assert measure.bounds.low < -0.2 < measure.bounds.high
    assert measure.bounds.value == pytest.approx(-0.2, abs=0.03)
    assert "darker than in training" in found["light"].sentence
    assert "scores rise with it" in found["light"].sentence
    found = findings(darker(0.5))
    assert found["model"].state == "unknown"  # no picture is as bright as one of training
    assert "restore light" in found["model"].sentence


def test_a_little_darker_does_not_accuse_the_model(findings):
    """Scores rise, but no more than they do in darker pictures of training."""
    calls = [states(findings(darker(0.06), seed=seed, count=80)) for seed in range(30)]
    assert sum(one["light"] == "changed" for one in calls) >= 28
    assert sum(one["model"] == "changed" for one in calls) <= 1


def test_a_ring_that_lies_elsewhere_or_looks_smaller(findings):
    found = findings(moved(3, 8))
    assert states(found) == {"light": "same", "fixture": "changed", "model": "same", "mix": "same"}
    assert "px further right" in found["fixture"].sentence
    place = {one.name: one for one in found["fixture"].measures}["x"]
    assert place.bounds.low < 8 < place.bounds.high
    found = findings(moved(2, -4))
    assert found["fixture"].state == "changed"
    assert "smaller than in training" in found["fixture"].sentence


def test_pictures_without_a_ring(findings):
    found = findings(num_no_roi=12)
    assert states(found)["fixture"] == "changed"
    assert (
        "12 of 92 without a region of interest, 0 of 100 in training" in found["fixture"].sentence
    )


@pytest.mark.parametrize(("by", "word"), [(0.2, "higher"), (-0.2, "lower")])
def test_scores_that_moved_alone_are_the_model(findings, by, word):
    found = findings(moved(1, by))
    assert states(found)["light"] == states(found)["fixture"] == "same"
    assert states(found)["model"] == "changed"
    assert f"are {word} by" in found["model"].sentence
    assert ("defects may pass" in found["model"].advice) == (by < 0)


def test_all_scores_above_the_threshold_name_the_condition(findings):
    found = findings(moved(1, 1.5))
    assert states(found)["model"] == "changed"
    assert "unless most of these parts are defective" in found["model"].sentence


def test_defects_are_the_mix_and_not_the_model(findings):
    found = findings(with_defects(14), count=60, usual_ng=0.02)
    assert states(found) == {"light": "same", "fixture": "same", "model": "same", "mix": "changed"}
    assert "more than the usual 2 %" in found["mix"].sentence
    assert "two groups, 46 around " in found["mix"].sentence
    found = findings(with_defects(14), count=60)
    assert found["mix"].state == "unknown"  # good parts alone do not tell what is usual
    assert "--usual-ng" in found["mix"].sentence


def test_too_few_pictures_say_how_many_would_tell(findings):
    found = findings(count=3)
    assert found["light"].state == "unknown"
    assert "pictures would tell" in found["light"].sentence
    assert found["model"].state == "unknown"
    assert "the radius may have changed by [" in found["fixture"].sentence
    one = findings(count=1, confidence=0.999)["fixture"]
    assert "the radius may have changed by any amount" in one.sentence
    assert one.as_json()["measures"][1]["low"] is None


def test_a_detector_without_unseen_samples_cannot_tell_the_model(findings):
    found = findings(unseen=0)
    assert found["model"].state == "unknown"
    assert "no scores" in found["model"].sentence
    assert found["light"].state == "same"


def test_nothing_is_called_at_the_stated_rate(findings):
    """150 folders in which nothing has changed, at 50 %: called at most at 50 %, and not never."""
    called = [
        any(
            one.state == "changed" for one in findings(seed=seed, count=25, confidence=0.5).values()
        )
        for seed in range(150)
    ]
    share = np.mean(called)
    assert 0.03 <= share <= 0.5
