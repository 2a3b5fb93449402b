import pytest

import bearing_search
from bearing_search.config import TrialConfig
from bearing_search.errors import SweepError
from bearing_search.measurement import OBJECTIVE, Measurement
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, MeasurementLog


@pytest.fixture
def sweep(make_sweep):
    """Two complete trials, the second far better."""
    folder = make_sweep("first", [0.5, 3.0])
    return bearing_search.open_sweep("first", folder.root.parent)


def test_a_sweep_is_opened_by_its_name_or_its_folder(sweep):
    assert sweep.name == "first"
    again = bearing_search.open_sweep(sweep.path)
    assert (again.name, again.path) == (sweep.name, sweep.path)
    with pytest.raises(SweepError, match=r"frist: no such sweep in .*; did you mean first"):
        bearing_search.open_sweep("frist", sweep.path.parent)


def test_trials_are_a_data_frame_with_settings_scores_intervals_cost_and_state(sweep):
    found = sweep.trials
    assert found.index.name == "trial"
    assert list(found.index) == [0, 1]
    assert list(found.state) == ["complete", "complete"]
    assert found.purpose[0] == "default"
    assert found["finetune.alternation_period"].between(1, 10).all()
    assert found[OBJECTIVE][1] > found[OBJECTIVE][0]
    assert (found.low < found[OBJECTIVE]).all()
    assert (found[OBJECTIVE] < found.high).all()
    assert {"cost_s", "duration_s", "seed", "reason", "started"} <= set(found)


def test_a_sweep_that_has_not_begun_has_trials_without_rows(make_sweep):
    sweep = bearing_search.open_sweep(make_sweep("empty", []).root)
    assert len(sweep.trials) == 0
    with pytest.raises(SweepError, match="empty: no trial is complete yet"):
        sweep.leaderboard()


def test_best_chosen_and_the_leaderboard_agree_with_the_report(sweep):
    assert sweep.best.number == sweep.chosen.number == 1
    board = sweep.leaderboard()
    assert list(board.index) == [1, 0]
    assert list(board.to_use) == [True, False]
    assert board[OBJECTIVE][1] == pytest.approx(sweep.best.value.value)
    assert board[f"{OBJECTIVE} low"][1] == pytest.approx(sweep.best.value.low)
    assert "To use: trial 1" in sweep.report()


def test_where_every_trial_misses_a_constraint_there_is_a_best_but_none_to_use(make_sweep):
    text = "base: {}\nvary: {finetune.alternation_period: {int: [1, 10]}}\n"
    folder = make_sweep(
        "strict", [0.5, 3.0], space_text=text + "constraints: [val/pixel_aupro >= 1]\n"
    )
    sweep = bearing_search.open_sweep(folder.root)
    assert sweep.best.number == 1
    with pytest.raises(SweepError, match="strict: every complete trial misses a constraint"):
        sweep.chosen  # noqa: B018


def test_a_trial_has_its_config_curves_and_scores(sweep):
    assert isinstance(sweep.config(1), TrialConfig)
    log = MeasurementLog(sweep.path / "trials/00001" / MEASUREMENTS_FILE)
    log.append(Measurement(step=0, values={"train/loss": 2.0}, stage="fine-tuning"))
    log.append(Measurement(step=3, values={OBJECTIVE: 0.5}, stage="scored", progress=1.0))
    curves = sweep.curves(1)
    assert list(curves.index) == [0, 3]
    assert curves["train/loss"][0] == 2.0
    assert curves[OBJECTIVE].isna()[0]
    assert curves.stage[3] == "scored"

    scores = sweep.image_scores(1)
    assert set(scores.part) == {"LC"}
    assert set(scores.fold) == {0}
    of_normal, of_anomalous = (scores[scores.is_anomalous == yes] for yes in (False, True))
    assert of_anomalous.image_score.mean() > of_normal.image_score.mean()
    assert scores["sample"].is_unique


def test_what_a_trial_does_not_have_is_named(sweep):
    with pytest.raises(SweepError, match=r"trial 7 has no config\.json; trials that began: 0, 1"):
        sweep.config(7)
    with pytest.raises(SweepError, match=r"trial 0 has no measurements\.jsonl"):
        sweep.curves(0)


def test_figures_are_pictures_that_notebooks_show(sweep, tmp_path):
    with pytest.raises(SweepError, match="first: no figure leaderboard; there are: none"):
        sweep.figure("leaderboard")
    (sweep.path / "leaderboard.png").write_bytes(b"png")
    (sweep.path / "trials/00001/artifacts").mkdir()
    (sweep.path / "trials/00001/artifacts/curves_LC.png").write_bytes(b"curves")
    assert sweep.figures() == ["leaderboard"]
    assert sweep.figures(1) == ["curves_LC"]
    assert sweep.figure("leaderboard").save(tmp_path / "a.png").read_bytes() == b"png"
    assert sweep.figure("curves_LC", trial=1)._repr_png_() == b"curves"
