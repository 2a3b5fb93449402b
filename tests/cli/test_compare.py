import json

import pytest

from bearing_search.api.evaluation import chosen_trial
from bearing_search.cli import main
from bearing_search.config import ProtocolConfig, to_plain
from bearing_search.config.reference_values import LATER_SETTINGS
from bearing_search.errors import SweepError
from bearing_search.session.comparison import board_of, refuse_incomparable
from bearing_search.session.terminal import terminal

SPACE = """# Which period?
base: {}
vary: {finetune.alternation_period: {int: [1, 10]}}
"""
"""Of the sweeps that `make_sweep` makes."""


def test_one_sweep_is_ranked_and_its_report_written(make_sweep, capsys):
    folder = make_sweep("first", [0.5, 3.0])
    assert main(["compare", "first", "--results", str(folder.root.parent)]) == 0
    said = capsys.readouterr().out
    assert "To use: trial 1, val/pixel_aupro" in said
    assert "is significantly better than the default (trial 0), by" in said
    assert (folder.root / "report.md").read_text() in said
    assert (folder.root / "leaderboard.png").stat().st_size > 1000
    assert "| maps | " in said
    assert json.loads((folder.root / "knobs.json").read_text())["of"] == "trial 1"


def test_status_carries_the_leaderboard_and_how_often_test_was_opened(make_sweep, capsys):
    folder = make_sweep("first", [0.5, 3.0])
    results = str(folder.root.parent)
    assert main(["status", "first", "--json", "--results", results]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["leaderboard"]["winner"]["trials"] == [1]
    assert found["leaderboard"]["winner"]["val/pixel_aupro"]["low"] > 0.5
    assert found["test_opened"] == {"times": 0, "last": ""}
    assert main(["status", "first", "--results", results]) == 0
    assert "Test has not been opened." in capsys.readouterr().out


def test_two_sweeps_share_one_ranking_and_each_default_gets_its_answer(make_sweep, capsys):
    results = make_sweep("first", [0.5, 0.6]).root.parent
    make_sweep("second", [0.4, 3.0])
    assert main(["compare", "first", "second", "--json", "--results", str(results)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["winner"]["sweep"], found["winner"]["trials"]) == ("second", [1])
    assert set(found["gain_over_default"]) == {"trial 0 of first", "trial 0 of second"}
    assert [s["tied"] for s in found["settings"]] == [True, False, False, False]

    assert main(["compare", "first", "second", "--results", str(results)]) == 0
    assert (results / "compare-first-second/report.md").exists()
    assert not (results / "first/report.md").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data_digest": "d2"}, 'data differ: "d1" and "d2"'),
        ({"folds": 2}, r'folds differ: \{"folds": null, "seed": 0\} and \{"folds": 2, "seed": 0\}'),
        ({"protocol": {"map_px": 64}}, "protocols differ"),
        ({"space_text": SPACE.replace("{}", "{parts: [LC]}", 1)}, r'parts differ: \[\] and \["LC"'),
    ],
)
def test_scores_that_say_nothing_about_each_other_are_refused(make_sweep, changes, reason):
    one, other = make_sweep("first", [1.0]), make_sweep("second", [1.0], **changes)
    with pytest.raises(SweepError, match=f"first and second cannot be compared: {reason}"):
        refuse_incomparable([one, other])


def test_a_protocol_of_before_a_setting_was_added_is_the_same_where_that_changes_nothing(
    make_sweep, monkeypatch
):
    before = to_plain(ProtocolConfig())
    old = make_sweep("first", [1.0], protocol=before)
    monkeypatch.setitem(LATER_SETTINGS, "protocol.bins", None)
    refuse_incomparable([old, make_sweep("second", [1.0], protocol=before | {"bins": None})])

    other = make_sweep("third", [1.0], protocol=before | {"bins": 200})
    with pytest.raises(SweepError, match=r"first and third cannot be compared: protocols differ"):
        refuse_incomparable([old, other])


def test_scores_on_test_choose_nothing(make_sweep):
    folder = make_sweep("paper", [1.0], task="reproduction", sampler="grid", target=10)
    with pytest.raises(SweepError, match="is a reproduction, scored on test"):
        refuse_incomparable([folder])


def test_a_sweep_without_a_score_has_no_leaderboard(make_sweep, capsys):
    folder = make_sweep("empty", [])
    assert board_of([folder], terminal()) is None
    assert main(["compare", "empty", "--results", str(folder.root.parent)]) == 6
    assert "no trial is complete yet" in capsys.readouterr().err


def test_evaluate_takes_the_one_to_use_unless_another_is_named(make_sweep):
    folder = make_sweep("first", [0.5, 3.0])
    assert chosen_trial(folder, None, terminal()) == 1
    assert chosen_trial(folder, 0, terminal()) == 0
    with pytest.raises(SweepError, match="trial 7 is not complete; these are: 0, 1"):
        chosen_trial(folder, 7, terminal())


def test_two_objectives_are_a_picture_and_a_set_more(make_sweep, capsys):
    text = SPACE + "objectives: [val/pixel_aupro: max, cost/seconds: min]\n"
    folder = make_sweep("first", [0.5, 3.0], space_text=text)
    results = str(folder.root.parent)

    assert main(["compare", "first", "--results", results]) == 0
    assert "Pareto set" in capsys.readouterr().out
    assert (folder.root / "pareto.png").read_bytes().startswith(b"\x89PNG")
    assert main(["compare", "first", "--json", "--results", results]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["trials"] for one in found["pareto"]] == [[1]]
    assert found["objectives"] == ["val/pixel_aupro (max)", "cost/seconds (min)"]
    assert main(["status", "first", "--results", results]) == 0
    assert "cost/seconds" in capsys.readouterr().out
    with pytest.raises(SweepError, match="objectives or constraints differ"):
        refuse_incomparable([folder, make_sweep("second", [0.5])])


def test_where_no_trial_keeps_the_constraints_none_is_evaluated(make_sweep, capsys):
    text = SPACE + "constraints: [val/pixel_aupro >= 1]\n"
    folder = make_sweep("first", [0.5, 1.0], space_text=text)

    assert main(["compare", "first", "--results", str(folder.root.parent)]) == 0
    assert "To use: none." in capsys.readouterr().out
    assert not (folder.root / "knobs.json").exists()
    with pytest.raises(SweepError, match="every complete trial misses a constraint"):
        chosen_trial(folder, None, terminal())
    assert chosen_trial(folder, 0, terminal()) == 0
    assert main(["status", "first", "--results", str(folder.root.parent)]) == 0
    said = capsys.readouterr().out
    assert "misses val/pixel_aupro >= 1" in said
    assert "best" not in said
