import json
import sqlite3
from contextlib import closing

import optuna
import pytest

from bearing_search.errors import ResourceError, SweepError
from bearing_search.measurement import FINISHED_FOLDS, OBJECTIVE, Measurement, running_objective
from bearing_search.sweep.planning.config_index import MAX_FAILURES_PER_CONFIG
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.study.storage import storage_errors
from bearing_search.sweep.study.trial_records import REDRAWN, read_records

TINY = """# Which of two?
base: {}
vary:
  finetune.alternation_period: {int: [5, 6]}
"""


def running(step, value, *, is_last=False):
    values = {running_objective(OBJECTIVE): value, FINISHED_FOLDS: float(step)}
    return Measurement(step=step, values=values | ({OBJECTIVE: value} if is_last else {}))


def test_trial_0_is_the_bases_own_setting(new_sweep, ledger_of):
    folder = new_sweep()

    first = ledger_of(folder).next()

    assert first.number == 0
    assert first.config == folder.space().trial({})


def test_a_record_says_why_a_trial_is_run_and_which_setting_it_has(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep())
    scheduled = [ledger.next() for _ in range(3)]

    records = ledger.records()
    assert [record.purpose for record in records] == ["default", "search", "search"]
    assert [record.setting for record in records] == [one.config.setting for one in scheduled]
    assert {record.seed for record in records} == {0}


def test_what_a_space_enqueues_is_run_after_trial_0_and_once(new_sweep, ledger_of, fakes):
    listed = "enqueue:\n- {finetune.alternation_period: 1}\n- {finetune.alternation_period: 2}\n"
    folder = new_sweep(space_text=fakes.SPACE + listed, target=4)
    periods = []
    for _ in range(4):
        ledger_of(folder).next()  # killed while it runs
        ledger = ledger_of(folder)
        scheduled = ledger.next()
        periods.append(scheduled.config.finetune.alternation_period)
        ledger.complete(scheduled.number, 0.5)

    assert periods[:3] == [5, 1, 2]
    assert ledger.is_done
    assert [record.purpose for record in ledger.records()] == ["default"] + ["search"] * 3


def test_what_is_enqueued_beyond_the_target_waits_for_a_larger_one(new_sweep, ledger_of, fakes):
    listed = "enqueue: [{finetune.alternation_period: 1}, {finetune.alternation_period: 2}]\n"
    folder = new_sweep(space_text=fakes.SPACE + listed, target=2)
    ledger = ledger_of(folder)
    while (scheduled := ledger.next()) is not None:
        ledger.complete(scheduled.number, 0.5)
    assert len(ledger.records()) == 2

    folder = folder.updated(SessionOptions(target=3))
    assert ledger_of(folder).next().config.finetune.alternation_period == 2


def test_no_more_is_issued_than_the_target_wants(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep(target=2))
    scheduled = [ledger.next(), ledger.next()]

    assert ledger.next() is None
    ledger.complete(scheduled[0].number, 0.5)
    assert ledger.next() is None
    ledger.fail(scheduled[1].number, "no circle", "trace")
    refill = ledger.next()
    assert refill.number == 2
    ledger.prune(2)
    assert ledger.is_done
    assert [record.state for record in ledger.records()] == ["complete", "failed", "pruned"]
    assert [record.value for record in ledger.records()] == [0.5, None, None]
    assert ledger.records()[1].reason == "no circle"


def test_what_ran_when_the_driver_died_is_issued_again_first(new_sweep, ledger_of):
    folder = new_sweep(target=3)
    before = ledger_of(folder)
    scheduled = [before.next() for _ in range(3)]
    before.complete(1, 0.5)
    del before

    again = ledger_of(folder)
    assert [again.next(), again.next()] == [scheduled[0], scheduled[2]]
    assert again.next() is None


def test_a_trial_killed_while_it_was_drawn_is_drawn_to_its_end(new_sweep, ledger_of):
    folder = new_sweep(target=3)
    before = ledger_of(folder)
    before.next()
    half = before.study.ask()
    period = half.suggest_int("finetune.alternation_period", 1, 10)
    del before

    again = ledger_of(folder)
    again.next()
    scheduled = again.next()
    assert scheduled.number == half.number
    assert scheduled.config.finetune.alternation_period == period
    assert set(scheduled.suggestion) == set(folder.space().parameters)


def test_reopening_with_the_same_seed_draws_nothing_twice(new_sweep, ledger_of):
    folder = new_sweep(target=12)
    digests = []
    for _ in range(4):
        ledger = ledger_of(folder)
        for _ in range(3):
            scheduled = ledger.next()
            digests.append(scheduled.config.digest)
            ledger.complete(scheduled.number, 0.1)

    assert len(set(digests)) == 12


def test_a_reopened_sampler_goes_on_and_does_not_draw_the_same_numbers_again(new_sweep, ledger_of):
    space = TINY.replace("vary:", "vary:\n  finetune.encoder_lr: {log: [1e-6, 1e-3]}")
    folder = new_sweep(space_text=space, sampler="random", target=9)
    rates = []
    for _ in range(3):
        ledger = ledger_of(folder)
        for _ in range(3):
            scheduled = ledger.next()
            rates.append(scheduled.config.finetune.encoder_lr)
            ledger.complete(scheduled.number, 0.1)

    assert len(set(rates)) == 9
    assert not any(REDRAWN in trial.user_attrs for trial in ledger.study.frozen_trials())


@pytest.mark.slow
def test_equal_seeds_draw_equal_sweeps_and_others_do_not(new_sweep, ledger_of):
    def drawn(name, seed):
        ledger = ledger_of(new_sweep(name=name, seed=seed, target=5))
        return [ledger.next().suggestion for _ in range(5)]

    assert drawn("a", 1) == drawn("b", 1)
    assert drawn("c", 2)[1:] != drawn("d", 1)[1:]


@pytest.mark.slow
def test_a_setting_that_failed_twice_is_not_trained_again(new_sweep, ledger_of):
    folder = new_sweep(space_text=TINY, target=40)
    ledger = ledger_of(folder)
    failed = []
    for _ in range(2 * MAX_FAILURES_PER_CONFIG):
        scheduled = ledger.next()
        failed.append(scheduled.config.finetune.alternation_period)
        ledger.fail(scheduled.number, "no circle", "trace")

    with pytest.raises(SweepError, match="had all failed before"):
        ledger.next()
    assert sorted(failed) == [5, 5, 6, 6]
    assert "not tried again" in ledger.records()[-1].reason
    with pytest.raises(SweepError):
        ledger_of(folder).next()  # it also remembers


def test_the_median_prunes_what_lies_below_it_and_never_a_finished_trial(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep(target=9, pruner="median"))
    for value in (0.5, 0.6, 0.7):
        number = ledger.next().number
        assert not ledger.report(number, running(1, value))
        ledger.complete(number, value)

    poor = ledger.next().number
    assert ledger.report(poor, running(1, 0.1))
    assert ledger.report(poor, running(1, 0.1))  # repeated by a restarted trial
    assert not ledger.report(poor, running(2, 0.1, is_last=True))


def test_without_a_pruner_nothing_is_pruned(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep(target=9))
    for value in (0.5, 0.6, 0.7):
        ledger.complete(ledger.next().number, value)

    assert not ledger.report(ledger.next().number, running(1, 0.0))


def test_a_ledger_can_be_read_while_it_is_written(new_sweep, ledger_of):
    folder = new_sweep()
    ledger = ledger_of(folder)
    scheduled = ledger.next()

    (record,) = read_records(folder.storage_url, folder.study_name)

    assert (record.state, record.suggestion) == ("running", scheduled.suggestion)
    assert record.digest == scheduled.config.digest
    with closing(sqlite3.connect(folder.root / "ledger.db")) as database:
        assert database.execute("pragma journal_mode").fetchone() == ("wal",)


def test_a_torn_ledger_is_one_clear_error(new_sweep, ledger_of):
    folder = new_sweep()
    ledger_of(folder).close()
    file = folder.root / "ledger.db"
    for torn in (b"no database at all" * 99, file.read_bytes()[:5000]):
        file.write_bytes(torn)
        for suffix in ("-wal", "-shm"):
            (folder.root / f"ledger.db{suffix}").unlink(missing_ok=True)

        with pytest.raises(SweepError, match=r"ledger\.db: the ledger cannot be used"):
            ledger_of(folder)
        with pytest.raises(SweepError, match="restore a backup"):
            read_records(folder.storage_url, folder.study_name)


@pytest.mark.slow
def test_a_locked_ledger_is_one_clear_error(new_sweep, ledger_of, monkeypatch):
    monkeypatch.setattr("bearing_search.sweep.study.storage.LOCK_WAIT_S", 0.1)
    folder = new_sweep()
    ledger = ledger_of(folder)
    with closing(sqlite3.connect(folder.root / "ledger.db")) as other:
        other.execute("begin immediate")
        with (
            pytest.raises(SweepError, match="another program has locked it"),
            storage_errors(folder.storage_url),
        ):
            ledger.next()


def test_a_database_without_its_driver_says_what_to_install(new_sweep, ledger_of):
    folder = new_sweep(storage="mysql+pymysql://me@nowhere/sweeps")

    with pytest.raises(ResourceError, match="driver of this database is not installed"):
        ledger_of(folder)


def test_suggestions_are_kept_as_json(new_sweep, ledger_of):
    folder = new_sweep()
    scheduled = ledger_of(folder).next()

    (trial,) = optuna.load_study(
        study_name=folder.study_name, storage=folder.storage_url
    ).get_trials()
    assert json.loads(trial.user_attrs["suggestion"]) == scheduled.suggestion
