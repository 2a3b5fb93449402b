import json
from dataclasses import replace

import pytest

from bearing_search.config import TrialConfig
from bearing_search.trial_history.held_out_defects import (
    HeldOutDefects,
    alike,
    drawn_parts,
    drawn_text,
    held_out_defects,
    why_drawn_otherwise,
)

COARSE = replace(TrialConfig(), encoder=replace(TrialConfig().encoder, input_px=224))


@pytest.fixture
def tagged(tmp_path):
    """The folder of a trial with tags by fold."""

    def make(name, **tags_of):
        for key, tags in tags_of.items():
            folder = tmp_path / name / "LC" / key
            folder.mkdir(parents=True)
            unit = {"rows": [], "metrics": {}, "tags": tags}
            (folder / "unit.json").write_text(json.dumps(unit))
        return tmp_path / name

    return make


def test_the_tags_of_all_folds_say_what_a_trial_was_scored_on(tagged):
    prior = {"defects/LC": "synthetic", "defects/SC": "real", "drawn_sizes/LC": "a prior"}
    trial = tagged(
        "new", fold0={**prior, "drawn/LC/fold0": "ab"}, fold1={**prior, "drawn/LC/fold1": "cd"}
    )

    found = held_out_defects(trial, TrialConfig())

    assert found == HeldOutDefects(
        parts=("LC",), sizes=("a prior",), drawing="LC/fold0 ab LC/fold1 cd"
    )
    assert drawn_parts(trial) == ("LC",)
    assert found.text == " on defects drawn on LC"
    assert drawn_text(("LC", "SC")) == " on defects drawn on LC, SC"


def test_real_defects_are_no_drawing(tagged):
    trial = tagged("real", fold0={"defects/LC": "real"})
    assert held_out_defects(trial, TrialConfig()) == HeldOutDefects()
    assert drawn_text(drawn_parts(trial)) == ""


def test_earlier_drawings_differ_with_the_size_of_the_input(tagged):
    """Trials of before defects were drawn in pixels of the original have no digest of them."""
    trial = tagged("old", fold0={"defects/LC": "synthetic"})
    fine, coarse = (held_out_defects(trial, config) for config in (TrialConfig(), COARSE))
    assert fine.drawing != coarse.drawing
    [reason] = why_drawn_otherwise((fine, TrialConfig()), (coarse, COARSE))
    assert reason == "drawn in pixels of the input, encoder.input_px 448, 224"

    new = HeldOutDefects(parts=("LC",), drawing="LC/fold0 ab")
    [reason] = why_drawn_otherwise((new, TrialConfig()), (fine, TrialConfig()))
    assert reason == "drawn by an earlier version of the code"


def test_the_settings_that_change_the_drawing_are_named():
    config = TrialConfig()
    circle = replace(config.preprocess.circle, ring_half_width_px=40.0)
    narrow = replace(config, preprocess=replace(config.preprocess, circle=circle))
    one, other = (HeldOutDefects(parts=("LC",), drawing=drawing) for drawing in ("a", "b"))
    assert why_drawn_otherwise((one, config), (other, narrow)) == [
        "preprocess.circle.ring_half_width_px 80.0, 40.0"
    ]
    assert why_drawn_otherwise((one, config), (other, config)) == ["the images differ"]


@pytest.mark.parametrize(
    ("drawings", "counted", "shared"),
    [
        ("abab", [1, 1, 1, 1], [1, 0, 1, 0]),  # of two equally frequent ones that of the best
        ("abb", [1, 1, 1], [0, 1, 1]),
        ("abb", [1, 0, 0], [1, 0, 0]),
        ("abb", [0, 0, 0], [0, 1, 1]),
    ],
)
def test_settings_are_compared_where_most_were_scored_on_one_drawing(drawings, counted, shared):
    found = alike(list(drawings), [bool(one) for one in counted])
    assert found == [bool(one) for one in shared]
