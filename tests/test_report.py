import json

import pytest

from bearing_search.config import TrialConfig, to_plain
from bearing_search.observer import TrialRecord, trial_folder
from bearing_search.report import as_json, end_of_sweep, leaderboard, markdown
from bearing_search.stages.scored import save_scored


@pytest.fixture
def sweep(tmp_path, scored):
    """Trials 0 to 3 with signals .5, 3, 3 (other noise), and one that failed."""
    records = []
    for number, (signal, seed) in enumerate([(0.5, 0), (3.0, 0), (3.0, 5)]):
        folder = trial_folder(tmp_path, number)
        (folder / "LC/fold0").mkdir(parents=True)
        config = TrialConfig(seed=number)
        (folder / "config.json").write_text(json.dumps(to_plain(config)))
        maps = scored(signal, seed=seed)
        save_scored(maps, folder / "LC/fold0/scored.npz")
        value = maps.metrics(config.protocol)["pixel_aupro"]
        records.append(
            TrialRecord(number=number, state="complete", suggestion={"seed": number}, value=value)
        )
    records.append(TrialRecord(number=3, state="failed", reason="no ring"))
    return tmp_path, records


def test_nothing_is_ranked_before_a_trial_is_complete(tmp_path):
    assert leaderboard(tmp_path, [TrialRecord(number=0, state="running")]) is None


def test_what_the_data_cannot_tell_from_the_best_is_called_tied(sweep):
    board = leaderboard(*sweep)
    assert board.trials[-1].number == 0
    assert board.best.number in (1, 2)
    assert list(board.tied) == [3 - board.best.number]
    assert board.interval.low < board.interval.value < board.interval.high
    assert board.floor == pytest.approx(0.15)


def test_the_page_marks_best_and_tied_and_leaves_failed_trials_out(sweep):
    board = leaderboard(*sweep)
    rows = [line for line in markdown("first", board, "Why?").splitlines() if line[:3] != "| -"]
    table = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows if row[0:1] == "|"]
    assert [row[0] for row in table[1:]] == [str(t.number) for t in board.trials]
    assert [row[2] for row in table[1:]] == ["best", "tied", ""]


def test_the_last_words_of_a_sweep_hold_setting_score_and_what_to_do_next(sweep):
    board = leaderboard(*sweep)
    said = end_of_sweep("first", board, program="python -m bearing_search", flag="")
    assert f"Best of 3 complete trials: trial {board.best.number}" in said
    assert f"seed{' ' * 31}{board.best.number}" in said
    assert f"{board.best.value:.4f} [" in said
    assert "python -m bearing_search ui" in said
    assert json.loads(json.dumps(as_json(board)))["tied"] == list(board.tied)


def test_scores_on_drawn_defects_say_so(sweep):
    folder, records = sweep
    for record in records[:3]:
        tags = {"defects/LC": "synthetic"}
        unit = trial_folder(folder, record.number) / "LC/fold0/unit.json"
        unit.write_text(json.dumps({"rows": [], "metrics": {}, "tags": tags}))
    said = end_of_sweep("first", leaderboard(folder, records), program="x", flag="")
    assert "The held-out defects of LC were drawn" in said
