import json
import math
from dataclasses import replace

import pytest

from bearing_search.config import DETECTORS, PadimConfig, TrialConfig, to_plain
from bearing_search.evaluation.prediction_files import save_predictions
from bearing_search.measurement import COMPUTED_S, COST_S, MICRO_BATCH, SAVED_S, Measurement
from bearing_search.reporting.leaderboard import end_of_sweep, leaderboard
from bearing_search.reporting.leaderboard_json import as_json
from bearing_search.reporting.leaderboard_markdown import markdown
from bearing_search.reporting.leaderboard_plot import leaderboard_png
from bearing_search.reporting.pareto_plot import pareto_png
from bearing_search.search_space.objectives import ObjectiveSpec, objective_spec
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, MeasurementLog
from bearing_search.trial_history.records import TrialRecord, trial_folder


@pytest.fixture
def sweep(tmp_path, predictions):
    """Makes trials from (signal, noise seed, seconds, setting); trial 0 is the default."""

    def make(*trials, objective_spec=None, aurocs=(), configs=()):
        records = []
        for number, (signal, seed, seconds, setting) in enumerate(trials):
            folder = trial_folder(tmp_path, number)
            (folder / "LC/fold0").mkdir(parents=True)
            config = replace(([*configs] + [TrialConfig()] * 9)[number], seed=number)
            (folder / "config.json").write_text(json.dumps(to_plain(config)))
            measured = {COST_S: seconds, "val/image_auroc": ([*aurocs] + [0.5] * 9)[number]}
            maps = predictions(signal, seed=seed)
            save_predictions(maps, folder / "LC/fold0/scored.npz")
            records.append(
                TrialRecord(
                    number=number,
                    state="complete",
                    suggestion={"seed": number},
                    purpose="search" if number else "default",
                    setting=setting,
                    value=maps.metrics(config.protocol)["pixel_aupro"],
                    duration_s=seconds,
                    judged=(objective_spec or ObjectiveSpec()).values_of(measured),
                )
            )
        records.append(TrialRecord(number=len(trials), state="failed", reason="no ring"))
        return tmp_path, records

    return make


CHEAP = TrialConfig(detector="padim").with_section(PadimConfig(blocks=(3, 6)))
FAR_APART = ((0.5, 0, 100.0, "a"), (3.0, 0, 100.0, "b"), (3.0, 5, 50.0, "c"))


def test_nothing_is_ranked_before_a_trial_is_complete(tmp_path):
    assert leaderboard(tmp_path, [TrialRecord(number=0, state="running")]) is None


def test_the_highest_of_those_that_cannot_be_told_apart_is_used_whatever_it_took_to_train(sweep):
    selection = leaderboard(*sweep(*FAR_APART)).selection
    assert selection.entries[-1].number == 0
    assert {entry.number for entry in selection.tied} == {1, 2}
    assert selection.chosen is selection.best
    assert selection.saving is None
    assert selection.chosen.value.low < selection.chosen.value.value < selection.chosen.value.high
    assert selection.floor == pytest.approx(0.15)
    assert selection.groups == {"LC": (12, 12)}


def test_what_else_ran_on_the_machine_does_not_change_the_choice(sweep):
    """The same work on a quiet machine, and with the better trial's neighbours at work."""
    folder, records = sweep((2.0, 0, 900.0, "a"), (1.8, 5, 900.0, "b"))
    loaded = [
        replace(record, duration_s=seconds)
        for record, seconds in zip(records, (1946.0, 867.0, None), strict=True)
    ]

    chosen = [leaderboard(folder, found).selection.chosen for found in (records, loaded)]

    assert len(leaderboard(folder, loaded).selection.tied) == 2
    assert [entry.number for entry in chosen] == [0, 0]
    assert chosen[1].cost_s == 1946.0
    page = markdown("first", leaderboard(folder, loaded), "")
    assert "Trial 0 is used: it has the highest score, and no setting tied with it is 2" in page
    assert " 2 times cheaper in use (work per sample, or memory)." in page


def test_a_lower_score_is_used_where_that_is_cheaper_and_the_price_is_told(sweep):
    folder, records = sweep(
        (2.0, 0, 100.0, "a"), (1.8, 5, 900.0, "b"), configs=(TrialConfig(), CHEAP)
    )
    board = leaderboard(folder, records)

    assert [entry.number for entry in board.selection.tied] == [0, 1]
    assert board.selection.chosen.number == 1
    dear, cheap = (entry.use for entry in board.selection.entries)
    assert board.selection.saving.work == dear.gflop / cheap.gflop
    assert board.selection.saving.memory == dear.megabytes / cheap.megabytes
    best = board.selection.best.value.value
    page = markdown("first", board, "")
    assert (
        f"Trial 1 is used: within the noise of the best (trial 0, {best:.3f}) and 2.8 times "
        "cheaper per sample." in page
    )
    assert f"| {cheap.gflop:.3g} | {cheap.megabytes:.3g} | 900 |" in page
    found = as_json(board)
    assert found["winner"]["gflop_per_sample"] == cheap.gflop
    assert found["settings"][0]["megabytes"] == dear.megabytes
    assert found["saving"]["work"] == board.selection.saving.work
    assert leaderboard_png(board.selection, "first").startswith(b"\x89PNG")


def test_a_setting_whose_use_is_not_counted_is_compared_with_no_cheaper_one(sweep, monkeypatch):
    unknown = replace(DETECTORS["dinomaly"], counted="")
    monkeypatch.setitem(DETECTORS, "dinomaly", unknown)
    board = leaderboard(
        *sweep((2.0, 0, 100.0, "a"), (1.8, 5, 900.0, "b"), configs=(TrialConfig(), CHEAP))
    )
    assert board.selection.chosen.number == 0
    page = markdown("first", board, "")
    assert "what it costs to use is not known, so it was compared with no cheaper one." in page
    assert "|  |  | 100 |" in page
    assert as_json(board)["winner"]["gflop_per_sample"] is None


def test_a_setting_costs_what_its_stages_took_whoever_computed_them(sweep):
    folder, records = sweep(*FAR_APART)
    for number, (computed, saved) in {1: (300.0, 0.0), 2: (1.0, 900.0)}.items():
        costs = {COMPUTED_S: computed, SAVED_S: saved}
        measurement_log = MeasurementLog(trial_folder(folder, number) / MEASUREMENTS_FILE)
        measurement_log.append(Measurement(step=9, values=costs))
    board = leaderboard(folder, records)
    assert {entry.number: entry.cost_s for entry in board.selection.entries} == {
        0: 100.0,  # nothing is told of its stages, so its duration counts
        1: 300.0,
        2: 901.0,
    }
    assert "sharing them between trials saved 15.0 more" in markdown("first", board, "")


def test_trials_whose_batches_had_no_room_are_named(sweep):
    folder, records = sweep(*FAR_APART)
    assert "had no room" not in markdown("first", leaderboard(folder, records), "")
    measurement_log = MeasurementLog(trial_folder(folder, 1) / MEASUREMENTS_FILE)
    measurement_log.append(Measurement(step=9, values={MICRO_BATCH: 4.0}))

    page = markdown("first", leaderboard(folder, records), "")
    assert "gradients were accumulated over smaller ones: trial 1 (4), with" in page


def test_among_equally_cheap_ones_the_highest_is_used(sweep):
    selection = leaderboard(*sweep((3.0, 0, 100.0, "a"), (3.0, 5, 90.0, "b"))).selection
    assert len(selection.tied) == 2
    assert selection.chosen is selection.best


def test_the_default_is_beaten_in_words(sweep):
    board = leaderboard(*sweep(*FAR_APART))
    (gain,) = board.selection.gains.values()
    assert gain.low > 0
    page = markdown("first", board, "Why?")
    assert "Trial 2 is significantly better than the default (trial 0), by +0." in page
    assert (
        "2 of 3 settings cannot be distinguished from the best on this data: trial 2 and trial 1."
        in page
    )


def test_what_is_not_shown_is_not_claimed(sweep):
    page = markdown("first", leaderboard(*sweep((3.0, 0, 99.0, "a"), (3.0, 5, 9.0, "b"))), "")
    assert (
        "Trial 1 is not significantly better than the default (trial 0); the difference is " in page
    )


def test_when_the_default_itself_is_used_nothing_better_is_shown(sweep):
    page = markdown("first", leaderboard(*sweep((3.0, 5, 99.0, "a"), (3.0, 0, 9.0, "b"))), "")
    assert "Trial 0 is the default: no setting is significantly better." in page


def test_seeds_of_one_setting_are_one_row_and_their_scatter_is_said(sweep):
    folder, records = sweep((1.0, 0, 9.0, "a"), (1.0, 3, 9.0, "a"), (1.0, 5, 9.0, "b"))
    board = leaderboard(folder, records)
    by_number = {entry.number: entry for entry in board.selection.entries}
    assert {n: len(entry.trials) for n, entry in by_number.items()} == {0: 2, 2: 1}
    one, other = records[0].value, records[1].value
    assert by_number[0].value.value == pytest.approx((one + other) / 2)
    assert board.selection.seed_deviation == pytest.approx(abs(one - other) / math.sqrt(2))
    page = markdown("x", board, "")
    assert "The standard deviation between seeds of a setting is" in page
    assert "(1 repeated run)" in page


def test_a_trial_that_repeats_anothers_end_has_no_row_of_its_own(sweep):
    folder, records = sweep(*FAR_APART)
    copy = replace(records[1], number=7, reason="same as trial 1")
    selection = leaderboard(folder, [*records, copy]).selection
    assert sorted(t.number for entry in selection.entries for t in entry.trials) == [0, 1, 2]
    assert math.isnan(selection.seed_deviation)


def test_the_page_marks_ties_and_leaves_failed_trials_out(sweep):
    page = markdown("first", leaderboard(*sweep(*FAR_APART)), "Why?")
    rows = [line for line in page.splitlines() if line[:1] == "|" and line[:3] != "| -"]
    table = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows][1:]
    marks = {row[0]: row[3] for row in table}
    assert marks == {"0 (default)": "", "1": "tied", "2": "to use"}


def test_the_last_words_of_a_sweep_hold_setting_score_and_what_to_do_next(sweep):
    board = leaderboard(*sweep(*FAR_APART))
    said = end_of_sweep("first", board, program="python -m bearing_search", flag="")
    assert "To use, of 3 complete settings: trial 2" in said
    assert f"seed{' ' * 31}2" in said
    assert f"{board.selection.chosen.value.value:.4f} [" in said
    assert "python -m bearing_search ui" in said


def test_programs_get_the_same_without_numbers_that_json_lacks(sweep):
    board = leaderboard(*sweep(*FAR_APART))
    found = json.loads(json.dumps(as_json(board), allow_nan=False))
    assert {one["sweep"] for one in found["settings"]} == {board.selection.chosen.folder.name}
    assert found["winner"]["trials"] == [2]
    assert [s["tied"] for s in found["settings"]] == [True, True, False]
    assert found["seed_deviation"] is None
    assert found["gain_over_default"]["trial 0"]["low"] > 0


def test_sample_sizes_say_what_they_cannot_support(sweep):
    page = markdown("first", leaderboard(*sweep(*FAR_APART)), "")
    assert "LC: with 12 normal groups, even no false alarm would allow a rate of up to 22%" in page
    assert "To claim 2% takes 149" in page


def test_every_page_says_how_often_test_was_opened(sweep):
    folder, records = sweep(*FAR_APART)
    assert "Test has not been opened." in markdown("x", leaderboard(folder, records), "")
    (folder / "evaluate").mkdir()
    seen = {"times_opened": 2, "opened": "2026-11-23T20:00:00+00:00"}
    (folder / "evaluate/evaluation.json").write_text(json.dumps(seen))
    board = leaderboard(folder, records)
    assert "Test opened 2 times, last 2026-11-23T20:00:00+00:00." in markdown("x", board, "")
    assert as_json(board)["test_opened"]["times"] == 2


@pytest.fixture
def drawn(sweep):
    """Makes trials scored on drawn defects: of these drawings, or of before there were digests."""

    def make(*drawings, trials=FAR_APART, **more):
        folder, records = sweep(*trials, **more)
        for record, drawing in zip(records, drawings, strict=False):
            tags = {"defects/LC": "synthetic", "drawn_sizes/LC": "sides of 3 to 9 px, as asked"}
            tags |= {"drawn/LC/fold0": drawing} if drawing else {}
            unit = trial_folder(folder, record.number) / "LC/fold0/unit.json"
            unit.write_text(json.dumps({"rows": [], "metrics": {}, "tags": tags}))
        return folder, records

    return make


def test_every_line_with_a_score_says_that_defects_were_drawn(drawn):
    board = leaderboard(*drawn("a", "a", "a"))
    said = end_of_sweep("first", board, program="x", flag="").splitlines()
    page = markdown("first", board, "").splitlines()

    assert "  val/pixel_aupro " in said[3]
    assert "] on defects drawn on LC   (95 %" in said[3]
    assert "] on defects drawn on LC (95 %" in page[2]
    [head] = [line for line in page if line.startswith("| trial")]
    assert "val/pixel_aupro (drawn defects) | val/image_auroc (drawn defects) |" in head
    for lines in (said, page):
        text = "\n".join(lines)
        assert "The held-out defects of LC are synthetic (sides of 3 to 9 px, as asked)" in text
        assert "on this data, on defects drawn on LC: trial 2 and trial" in text
        assert "simultaneous for 3 settings on defects drawn on LC." in text
        assert "Not comparable" not in text
    assert {tuple(one["drawn_defects"]) for one in as_json(board)["settings"]} == {("LC",)}
    assert as_json(board)["winner"]["drawing"] == "LC/fold0 a"


def test_scores_on_real_defects_say_nothing_of_drawn_ones(sweep):
    board = leaderboard(*sweep(*FAR_APART))
    said = end_of_sweep("first", board, program="x", flag="") + markdown("first", board, "")
    assert "drawn" not in said.replace("No setting was run", "")
    assert all(one["comparable"] for one in as_json(board)["settings"])


def test_what_was_scored_on_other_drawn_defects_is_neither_better_nor_worse(drawn):
    """Trial 1 is far above trial 0, but its defects may be the easier ones."""
    circle = replace(TrialConfig().preprocess.circle, ring_half_width_px=40.0)
    narrow = replace(TrialConfig(), preprocess=replace(TrialConfig().preprocess, circle=circle))
    trials = ((0.5, 0, 1.0, "a"), (3.0, 0, 1.0, "b"), (0.4, 5, 1.0, "c"))
    configs = (TrialConfig(), narrow, TrialConfig())
    board = leaderboard(*drawn("a", "b", "a", trials=trials, configs=configs))

    assert [entry.number for entry in board.selection.entries] == [0, 2, 1]
    assert [entry.is_comparable for entry in board.selection.entries] == [True, True, False]
    assert not board.selection.entries[2].is_tied
    assert board.selection.chosen.number == 0
    page = markdown("first", board, "")
    assert (
        "Not comparable: trial 1; other defects were drawn there "
        "(preprocess.circle.ring_half_width_px 80.0, 40.0). None of them is called better or "
        "worse." in page
    )
    [row] = [line for line in page.splitlines() if line.startswith("| 1 |")]
    assert "| not comparable |" in row
    assert "2 of 2 settings that are comparable cannot be distinguished" in page
    assert leaderboard_png(board.selection, "first").startswith(b"\x89PNG")


def test_a_default_on_another_drawing_is_no_measure_of_gain(drawn):
    board = leaderboard(*drawn("a", "b", "b"))
    assert board.selection.entries[-1].is_default
    assert board.selection.gains == {}
    assert "than the default" not in markdown("first", board, "")


def test_224_is_not_called_better_than_448_where_defects_scaled_with_the_input(drawn):
    """As of trials made before defects were drawn in pixels of the original image."""
    coarse = replace(TrialConfig(), encoder=replace(TrialConfig().encoder, input_px=224))
    board = leaderboard(*drawn("", "", trials=FAR_APART[:2], configs=(TrialConfig(), coarse)))
    page = markdown("first", board, "")
    assert "Trial 1 is the only one of 2 settings that can be judged." in page
    assert "drawn in pixels of the input, encoder.input_px" in page
    assert "better than" not in page


def test_the_picture_is_one(sweep):
    png = leaderboard_png(leaderboard(*sweep(*FAR_APART)).selection, "first")
    assert png.startswith(b"\x89PNG")


def test_scores_are_read_once_and_again_when_they_change(sweep, predictions, monkeypatch):
    folder, records = sweep(*FAR_APART)
    before = leaderboard(folder, records).selection
    file = trial_folder(folder, 1) / "LC/fold0/scored.npz"
    save_predictions(predictions(0.0, seed=9), file)
    after = leaderboard(folder, records).selection
    assert after.entries[-1].value.value < before.entries[-1].value.value

    monkeypatch.setattr(
        "bearing_search.analysis.influence_cache.fold_predictions", lambda folder: 1 / 0
    )
    assert leaderboard(folder, records).selection.entries[-1].value == after.entries[-1].value


TWO = objective_spec([{"val/pixel_aupro": "max"}, {"cost/seconds": "min"}], None)
AUROC = objective_spec(None, ["val/image_auroc >= .8"])


def test_of_two_objectives_the_pareto_set_is_shown_and_the_first_names_the_one_to_use(sweep):
    # 0 is poor and dear; 3 is poor and the cheapest; 1 and 2 are as good as each other
    trials = (*FAR_APART, (0.5, 0, 10.0, "d"))
    board = leaderboard(*sweep(*trials, objective_spec=TWO), objective_spec=TWO)

    front = {entry.number for entry in board.front}
    best = board.selection.best.number
    assert front == {best, 2, 3}
    assert board.selection.chosen.number == 2
    page = markdown("first", board, "")
    assert "Pareto set of val/pixel_aupro (max) and cost/seconds (min): " in page
    assert "| to use, Pareto |" in page
    found = as_json(board)
    assert {one["trials"][0] for one in found["pareto"]} == front
    assert found["winner"]["trials"] == [2]
    assert found["winner"]["scores"] == {"cost/seconds": 50.0}
    assert pareto_png(board.selection, board.front, TWO, "first").startswith(b"\x89PNG")


def test_of_one_objective_there_is_no_pareto_set(sweep):
    board = leaderboard(*sweep(*FAR_APART))
    assert board.front == []
    assert "Pareto" not in markdown("first", board, "")
    assert as_json(board)["pareto"] == []


def test_what_misses_a_constraint_is_marked_comes_last_and_ties_with_nobody(sweep):
    # trial 1 and 2 are far better than the default, but only it keeps the constraint
    records = sweep(*FAR_APART, objective_spec=AUROC, aurocs=(0.9, 0.7, 0.7))
    board = leaderboard(*records, objective_spec=AUROC)

    assert board.selection.best.number == board.selection.chosen.number == 0
    assert [entry.is_tied for entry in board.selection.entries] == [True, False, False]
    page = markdown("first", board, "")
    assert "2 of 3 settings miss val/image_auroc >= 0.8, and should not be used: " in page
    assert page.count("| misses val/image_auroc >= 0.8 |") == 2
    assert [one["feasible"] for one in as_json(board)["settings"]] == [True, False, False]
    assert leaderboard_png(board.selection, "first").startswith(b"\x89PNG")


def test_a_default_that_misses_a_constraint_is_still_what_the_winner_is_compared_with(sweep):
    records = sweep(*FAR_APART, objective_spec=AUROC, aurocs=(0.5, 0.9, 0.9))
    board = leaderboard(*records, objective_spec=AUROC)

    assert board.selection.chosen.number == 2
    (gain,) = board.selection.gains.values()
    assert gain.low > 0
    assert "2 of 2 settings that satisfy the constraints cannot be" in markdown("x", board, "")


def test_where_every_setting_misses_a_constraint_none_is_named(sweep):
    records = sweep(*FAR_APART, objective_spec=AUROC, aurocs=(0.1, 0.2, 0.3))
    board = leaderboard(*records, objective_spec=AUROC)

    assert board.selection.chosen is None
    page = markdown("first", board, "")
    assert "To use: none. Every complete setting misses a constraint of the space." in page
    assert "to use |" not in page
    assert as_json(board)["winner"] is None
    said = end_of_sweep("first", board, program="x", flag="")
    assert "To use: none." in said
    assert "evaluate" not in said


def test_a_pruned_trial_is_no_setting_of_the_report_however_its_folds_went(sweep):
    # what was scored before it ended lies in its folder, and is better than all complete ones
    folder, records = sweep(*FAR_APART, (9.0, 1, 9.0, "d"))
    records[3] = replace(records[3], state="pruned", value=None)

    board = leaderboard(folder, records)

    assert {entry.number for entry in board.selection.entries} == {0, 1, 2}
    assert board.selection.best.number in (1, 2)
    assert "| 3 |" not in markdown("first", board, "")
