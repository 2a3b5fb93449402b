"""No config is trained twice in a sweep, and no sweep draws for ever."""

from dataclasses import replace

import pytest
from optuna.trial import TrialState

from bearing_search.analysis.ranked_setting import SweepTrials
from bearing_search.analysis.selection import select
from bearing_search.config import TrialConfig
from bearing_search.sweep.planning import ledger as ledger_module
from bearing_search.sweep.status import sweep_status
from bearing_search.sweep.study.trial_records import REDRAWN
from bearing_search.trial_history.best import best_of

TINY = """# Which of three?
base: {}
vary:
  finetune.alternation_period: {int: [4, 6]}
"""
PERIOD = "finetune.alternation_period"
NINE = TINY.replace("[4, 6]", "[1, 9]")


def finish(ledger):
    """Runs all that is issued, one after the other; the configs' digests in order."""
    digests = []
    while (scheduled := ledger.next()) is not None:
        digests.append(scheduled.config.digest)
        ledger.complete(scheduled.number, scheduled.suggestion[PERIOD] / 10)
    return digests


@pytest.mark.parametrize("seed", range(3))
def test_a_space_of_three_points_is_tried_three_times_whatever_the_target(
    new_sweep, ledger_of, seed
):
    ledger = ledger_of(new_sweep(space_text=TINY, target=40, seed=seed))

    digests = finish(ledger)

    assert len(digests) == len(set(digests)) == 3
    assert ledger.is_done
    assert len(ledger.records()) < 10  # ten draws of the same in a row are told as one copy


@pytest.mark.slow
def test_a_sweep_that_ends_below_its_target_says_why(new_sweep, simulate, fakes):
    space = TINY.replace("base: {}", "base: {finetune: {epochs: 40}}")

    outcome = simulate(new_sweep(space_text=space, target=40), fakes.run_trial)

    assert outcome.shortfall.startswith("done after 3 of 40 trials: nothing is left to try")
    assert replace(outcome, target=3).shortfall == ""
    assert replace(outcome, is_done=False, stopped_by="signal").shortfall == ""


def test_a_suggestion_made_before_is_drawn_anew(new_sweep, ledger_of):
    folder = new_sweep(space_text=NINE, target=6)

    digests = finish(ledger_of(folder))

    assert len(set(digests)) == 6
    records = ledger_of(folder).records()
    assert [record.state for record in records] == ["complete"] * 6  # what was redrawn is no trial
    assert [record.digest for record in records] == digests


def test_a_kill_just_before_a_redrawn_trials_end_is_told_makes_no_hidden_copy(
    new_sweep, ledger_of, monkeypatch
):
    folder = new_sweep(space_text=NINE, target=6)
    ledger = ledger_of(folder)

    def killed(trial, reason):
        raise KeyboardInterrupt  # the attribute is written, the end is not

    monkeypatch.setattr(ledger.study, "fail", killed)
    with pytest.raises(KeyboardInterrupt):  # nine points, six draws: some repeat
        finish(ledger)
    (left,) = [t for t in ledger.study.frozen_trials() if t.state == TrialState.RUNNING]
    assert REDRAWN in left.user_attrs

    again = ledger_of(folder)
    assert again.study.frozen_trials()[left.number].state == TrialState.FAIL
    finish(again)

    records = again.records()
    assert [record.state for record in records] == ["complete"] * 6  # none of the six is unseen
    assert len({record.digest for record in records}) == 6
    assert all(t.state.is_finished() for t in again.study.frozen_trials())


@pytest.fixture
def no_redraws(monkeypatch):
    """Every repeated suggestion is told at once."""
    monkeypatch.setattr(ledger_module, "MAX_REPEATS", 0)


def test_a_suggestion_that_keeps_coming_is_told_its_earlier_end(new_sweep, ledger_of, no_redraws):
    ledger = ledger_of(new_sweep(space_text=NINE, target=9))

    digests = finish(ledger)

    records = ledger.records()
    copies = [record for record in records if record.same_as is not None]
    assert copies
    assert len(digests) + len(copies) == 9  # each fills a place, so that the sweep ends
    assert len(set(digests)) == len(digests)
    for copy in copies:
        source = next(record for record in records if record.number == copy.same_as)
        assert (copy.value, copy.digest, copy.state) == (source.value, source.digest, "complete")
        assert copy.reason == f"same as trial {source.number}"
        assert source.same_as is None


def test_what_runs_at_the_same_time_is_not_trained_twice_either(
    new_sweep, uncounted_ledger_of, no_redraws
):
    folder = new_sweep(space_text=TINY, target=6)
    ledger = uncounted_ledger_of(folder)
    scheduled = []
    while (one := ledger.next()) is not None:
        scheduled.append(one)

    digests = [one.config.digest for one in scheduled]
    assert len(set(digests)) == len(digests) < 6
    assert not ledger.is_done
    for one in scheduled:
        ledger.complete(one.number, 0.5)
    records = ledger.records()
    assert [record.state for record in records] == ["complete"] * 6
    assert sum(record.same_as is not None for record in records) == 6 - len(digests)
    assert ledger.is_done


def test_a_kill_while_a_repetition_waits_does_not_lose_it(
    new_sweep, ledger_of, uncounted_ledger_of, no_redraws
):
    folder = new_sweep(space_text=TINY, target=6)
    first = uncounted_ledger_of(folder)
    while first.next() is not None:
        pass
    del first

    again = ledger_of(folder)
    digests = finish(again)

    assert len(set(digests)) == len(digests)
    assert sum(r.state == "complete" for r in again.records()) == 6
    assert again.is_done


def test_a_repetition_left_by_a_kill_is_copied_though_a_drawn_one_would_be_drawn_anew(
    new_sweep, ledger_of, uncounted_ledger_of, monkeypatch
):
    folder = new_sweep(space_text=TINY, target=6)
    with monkeypatch.context() as patch:
        patch.setattr(ledger_module, "MAX_REPEATS", 0)
        first = uncounted_ledger_of(folder)
        scheduled = []
        while (one := first.next()) is not None:
            scheduled.append(one.number)
    waiting = [t.number for t in first.study.running() if t.number not in scheduled]
    assert waiting
    del first

    again = ledger_of(folder)
    finish(again)

    states = {record.number: record for record in again.records()}
    assert all(states[number].same_as in scheduled for number in waiting)
    assert not any(REDRAWN in trial.user_attrs for trial in again.study.frozen_trials())


def test_what_waits_for_a_trial_that_fails_is_drawn_anew(
    new_sweep, uncounted_ledger_of, no_redraws
):
    ledger = uncounted_ledger_of(new_sweep(space_text=TINY, target=6))
    scheduled = []
    while (one := ledger.next()) is not None:
        scheduled.append(one)
    for one in scheduled:
        ledger.fail(one.number, "no circle", "trace")

    assert ledger.next() is not None  # all places are free again
    assert [r.state for r in ledger.records() if r.state != "running"] == ["failed"] * len(
        scheduled
    )


def test_a_pruned_config_is_not_trained_again(new_sweep, ledger_of, no_redraws):
    ledger = ledger_of(new_sweep(space_text=NINE, target=9))
    pruned = {}
    while (scheduled := ledger.next()) is not None:
        assert scheduled.config.digest not in pruned
        pruned[scheduled.config.digest] = scheduled.number
        ledger.prune(scheduled.number)

    copies = [record for record in ledger.records() if record.same_as is not None]
    assert copies
    assert {(c.state, c.value) for c in copies} == {("pruned", None)}


def test_a_copy_is_shown_told_and_not_ranked(
    new_sweep, simulate, fakes, observed, no_redraws, tmp_path
):
    space = NINE.replace("base: {}", "base: {finetune: {epochs: 40}}")
    folder = new_sweep(space_text=space, target=9)

    outcome = simulate(folder, fakes.run_trial, [observed])

    copies = [trial for trial in outcome.trials if trial.same_as is not None]
    assert copies
    ends = {number: rest for number, *rest in observed.of("end")}
    for copy in copies:
        assert ends[copy.number] == ["complete", copy.value, f"same as trial {copy.same_as}"]
        assert (folder.trial_folder(copy.number) / "config.json").exists()
        assert not (folder.trial_folder(copy.number) / "audit.jsonl").exists()
    assert [number for number, *_ in observed.of("trial")] == list(range(9))
    assert sweep_status(folder).num_finished == 9
    assert best_of(outcome.trials).same_as is None


def test_a_ranking_leaves_copies_out(tmp_path, fakes):
    from bearing_search.trial_history.records import TrialRecord

    copy = TrialRecord(number=1, state="complete", value=0.5, setting="s", same_as=0)

    assert (
        select([SweepTrials(name="", folder=tmp_path, records=[copy])], TrialConfig().protocol)
        is None
    )
