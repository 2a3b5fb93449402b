import json
import math
import sqlite3
from contextlib import closing

import pytest

from bearing_search.errors import ResourceError, SweepError, TrialFailedError
from bearing_search.measurement import FINISHED_FOLDS, OBJECTIVE, Measurement, running_objective
from bearing_search.sweep.driver.controller import SweepController
from bearing_search.sweep.driver.session import StopRequest
from bearing_search.sweep.folder.sweep_folder import load_sweep
from bearing_search.sweep.record.session_options import SessionOptions
from bearing_search.sweep.status import sweep_status
from bearing_search.trial_history.best import best_of
from bearing_search.trial_history.measurement_log import read_measurements, to_json


def test_a_sweep_runs_to_its_target_and_tells_everything_once(new_sweep, simulate, fakes, observed):
    folder = new_sweep(target=3)

    outcome = simulate(folder, fakes.run_trial, [observed])

    assert outcome.count("complete") == 3
    assert outcome.stopped_by == ""
    best = max(outcome.trials, key=lambda trial: trial.value)
    assert best_of(outcome.trials) == best
    assert best_of(outcome.trials).value == fakes.score_of(folder.space().trial(best.suggestion))
    assert observed.of("step") == [(n, s) for n in range(3) for s in range(1, 9)]
    assert [event[:2] for event in observed.of("end")] == [(n, "complete") for n in range(3)]
    assert observed.events[0] == ("start", 0)
    assert observed.events[-1] == ("over", "")


def test_a_trials_folder_says_what_it_was_and_what_it_measured(new_sweep, simulate, fakes):
    folder = new_sweep(target=1)
    simulate(folder, fakes.run_trial)

    trial = folder.trial_folder(0)
    config = json.loads((trial / "config.json").read_text())
    assert config["finetune"]["epochs"] == 40
    measured = list(read_measurements(trial / "measurements.jsonl"))
    assert [m.step for m in measured] == list(range(1, 9))
    assert OBJECTIVE in measured[-1].values
    audit = [json.loads(line) for line in (trial / "audit.jsonl").read_text().splitlines()]
    assert {line["visible"] for line in audit} == {""}
    assert {line["threads"] for line in audit} == {"1"}


def test_more_trials_are_added_to_a_finished_sweep(new_sweep, simulate, fakes, observed):
    folder = new_sweep(target=1)
    simulate(folder, fakes.run_trial)

    folder = folder.updated(SessionOptions(target=2))
    outcome = simulate(folder, fakes.run_trial, [observed])

    assert outcome.count("complete") == 2
    assert observed.events[0] == ("start", 1)
    assert {event[0] for event in observed.of("trial")} == {1}
    assert simulate(folder, fakes.run_trial).count("complete") == 2


def test_a_stopped_trial_goes_on_where_it_was(new_sweep, simulate, fakes, observed):
    folder = new_sweep(target=2)

    def stop_after_five(number, message, stop):
        if number == 0 and json.loads(message["measurement"])["step"] == 5:
            stop.request("signal")

    outcome = simulate(folder, fakes.run_trial, [observed], stop_after_five)

    assert outcome.interrupted
    assert outcome.count("running") == 1
    assert observed.of("end") == [(0, "stopped", None, "signal")]
    (stopped,) = sweep_status(load_sweep(folder.root.parent, "one")).trials
    assert stopped.state == "stopped"
    assert stopped.progress >= 5 / 8

    assert simulate(folder, fakes.run_trial).count("complete") == 2
    lines = (folder.trial_folder(0) / "audit.jsonl").read_text().splitlines()
    steps = [w for w in (json.loads(line)["what"] for line in lines) if w != "start"]
    assert steps == [f"step {n}" for n in range(1, 9)]


def test_one_failing_trial_does_not_take_the_sweep_down(
    new_sweep, simulate, fakes, observed, monkeypatch
):
    monkeypatch.setenv("FAKE_FAILING", "[1]")
    monkeypatch.setenv("FAKE_CRASHING", "[2]")
    folder = new_sweep(target=3)

    outcome = simulate(folder, fakes.run_trial, [observed])

    assert [t.state for t in outcome.trials] == [
        "complete",
        "failed",
        "failed",
        "complete",
        "complete",
    ]
    assert outcome.trials[1].reason == "no circle in LC_031"
    assert outcome.trials[2].reason == "ZeroDivisionError: a bug"
    assert observed.of("end")[1] == (1, "failed", None, "no circle in LC_031")
    assert "in _misbehave" in (folder.trial_folder(2) / "traceback.txt").read_text()
    log = (folder.trial_folder(2) / "log.txt").read_text()
    assert "the trial failed" in log
    assert "a bug" in log


def test_a_sweep_whose_trials_all_fail_ends_with_the_last_reason(
    new_sweep, simulate, fakes, observed, monkeypatch
):
    monkeypatch.setenv("FAKE_FAILING", '"all"')
    folder = new_sweep(target=50)

    with pytest.raises(SweepError, match=r"3 trials failed .* and 0 finished.*LC_031"):
        simulate(folder, fakes.run_trial, [observed])

    assert len(observed.of("end")) == 3
    assert observed.of("over") == [("",)]
    monkeypatch.delenv("FAKE_FAILING")
    folder = folder.updated(SessionOptions(target=2))
    assert simulate(folder, fakes.run_trial).count("complete") == 2  # mended, it goes on


def test_a_score_that_is_no_number_is_a_failure(new_sweep, simulate):
    def run_trial(config, context):
        value = math.nan if context.folder.name == "00000" else 0.5
        yield Measurement(step=1, values={OBJECTIVE: value})

    outcome = simulate(new_sweep(target=1), run_trial)

    assert [t.state for t in outcome.trials] == ["failed", "complete"]
    assert outcome.trials[0].reason == f"{OBJECTIVE} is not a number"


def test_a_stream_that_just_ends_is_a_failure_with_a_reason(new_sweep, simulate):
    def run_trial(config, context):
        if context.folder.name == "00000":
            return
        yield Measurement(step=1, values={OBJECTIVE: 0.5})

    outcome = simulate(new_sweep(target=1), run_trial)

    assert "although it was not asked to stop" in outcome.trials[0].reason


def test_a_poor_trial_is_asked_to_stop_and_told_as_pruned(new_sweep, simulate, observed):
    def run_trial(config, context):
        value = 0.1 if context.folder.name == "00003" else 0.5 + int(context.folder.name) / 10
        for fold in (1, 2):
            yield Measurement(
                step=fold, values={running_objective(OBJECTIVE): value, FINISHED_FOLDS: fold}
            )
            if context.should_stop():
                return
        yield Measurement(step=3, values={OBJECTIVE: value})

    outcome = simulate(new_sweep(target=5, pruner="median"), run_trial, [observed])

    assert [t.state for t in outcome.trials] == ["complete"] * 3 + ["pruned", "complete"]
    assert observed.of("end")[3] == (3, "pruned", None, "")
    assert outcome.trials[3].value is None


def test_a_trial_whose_process_dies_for_good_has_failed(new_sweep, ledger_of, observed):
    folder = new_sweep(target=1)
    ledger = ledger_of(folder)
    controller = SweepController(folder, ledger, [observed], StopRequest(folder))
    controller.begin()

    controller.next_trial()
    controller.on_trial_end(0, crash=("its process died", "trace"))

    assert ledger.records()[0].reason == "its process died"
    assert observed.of("end") == [(0, "failed", None, "its process died")]


def test_a_score_that_was_told_counts_even_if_its_process_dies_after_it(new_sweep, ledger_of):
    folder = new_sweep(target=1)
    ledger = ledger_of(folder)
    controller = SweepController(folder, ledger, [], StopRequest(folder))

    controller.next_trial()
    done = Measurement(step=1, values={OBJECTIVE: 0.5})
    controller.on_report(0, {"measurement": to_json(done)})
    controller.on_trial_end(0, crash=("its process died", "trace"))

    assert best_of(controller.finish().trials).value == 0.5


def test_a_callback_that_cannot_begin_is_raised_and_the_others_are_told_the_end(
    new_sweep, ledger_of, observed
):
    class Away(type(observed)):  # type: ignore[misc]  # a class of the fakes
        def on_sweep_start(self, sweep):
            raise ResourceError("MLflow cannot be used")

    folder = new_sweep()
    away = Away()
    controller = SweepController(folder, ledger_of(folder), [observed, away], StopRequest(folder))
    with pytest.raises(ResourceError) as error:
        controller.begin()
    controller.record_error(error.value)
    with pytest.raises(ResourceError):
        controller.finish()

    assert observed.of("over") == [("",)]
    assert away.events == []


def test_an_error_of_a_callback_stops_the_sweep_and_is_raised_at_its_end(
    new_sweep, simulate, fakes, observed
):
    class Broken(type(observed)):  # type: ignore[misc]  # a class of the fakes
        def on_measurement(self, number, measurement):
            raise RuntimeError("a bug in the display")

    folder = new_sweep(target=2)
    with pytest.raises(RuntimeError, match="a bug in the display"):
        simulate(folder, fakes.run_trial, [Broken()])

    assert folder.stop_file.exists()
    assert simulate(folder, fakes.run_trial).count("complete") == 2


def test_a_ledger_that_breaks_stops_the_sweep_and_is_raised_at_its_end(
    new_sweep, ledger_of, observed
):
    folder = new_sweep(target=1)
    ledger = ledger_of(folder)
    controller = SweepController(folder, ledger, [observed], StopRequest(folder))
    controller.begin()
    with closing(sqlite3.connect(folder.root / "ledger.db")) as database:
        database.execute("drop table trials")
        database.commit()

    assert controller.is_finished  # so that the scheduler ends by itself
    assert folder.stop_file.exists()
    with pytest.raises(SweepError, match=r"ledger\.db: the ledger cannot be used"):
        controller.finish()
    assert observed.of("over") == [("",)]


def test_status_reads_without_touching(new_sweep, simulate, fakes):
    folder = new_sweep(target=2)
    empty = sweep_status(folder)
    assert (empty.trials, empty.best, empty.holder) == ([], None, "")

    seen = []

    def look(number, message, stop):
        seen.append(sweep_status(folder))

    simulate(folder, fakes.run_trial, on_message=look)

    first = seen[0]
    assert "process" in first.holder
    assert [t.state for t in first.trials] == ["running"]
    assert (first.trials[0].progress, first.trials[0].stage) == (1 / 8, "fold 1 of 2")
    done = sweep_status(folder)
    assert done.num_finished == done.target == 2
    assert done.best.value == max(t.value for t in done.trials)
    assert all(t.duration_s > 0 and t.suggestion for t in done.trials)


def test_failures_speak_in_one_line():
    from bearing_search.sweep.worker.process import error_summary

    assert error_summary(TrialFailedError("no\n circle")) == "no circle"
    assert error_summary(KeyError("x")) == "KeyError: 'x'"


def test_trials_whose_ends_the_scheduler_never_told_are_stopped_and_issued_again(
    new_sweep, ledger_of, observed
):
    folder = new_sweep(target=1)
    controller = SweepController(folder, ledger_of(folder), [observed], StopRequest(folder))
    controller.begin()
    scheduled = controller.next_trial()
    controller.record_error(ResourceError("Ray has died"))

    with pytest.raises(ResourceError, match="Ray has died"):
        controller.finish()

    assert observed.of("end") == [(scheduled.number, "stopped", None, "error")]
    again = SweepController(folder, ledger_of(folder), [observed], StopRequest(folder))
    again.begin()
    assert again.next_trial().number == scheduled.number
