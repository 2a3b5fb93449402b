"""Trials that raise, die, fall silent or take too long."""

import json
import logging
import os
import socket
import subprocess
import sys
import time

import optuna
import pytest
import typer

from bearing_search.cli.sweep_options import seconds_of
from bearing_search.errors import ConfigError
from bearing_search.measurement import OBJECTIVE, Measurement
from bearing_search.sweep.driver.controller import SweepController
from bearing_search.sweep.driver.session import StopRequest
from bearing_search.sweep.driver.stall_monitor import GRACE_S, STALL_S, StallMonitor
from bearing_search.sweep.execution.exit_reasons import describe_exit, oom_kill_count
from bearing_search.sweep.planning.ledger import Ledger
from bearing_search.sweep.record.layout import TRIAL_STOP
from bearing_search.sweep.status import sweep_status
from bearing_search.sweep.worker.trial_lock import kill_worker
from bearing_search.trial_history.measurement_log import to_json


def starts_and_steps(folder, number):
    lines = (folder.trial_folder(number) / "audit.jsonl").read_text().splitlines()
    told = [json.loads(line)["what"] for line in lines]
    return told.count("start"), [what for what in told if what != "start"]


def attributes(folder, number):
    study = optuna.load_study(study_name=folder.study_name, storage=folder.storage_url)
    return study.trials[number].user_attrs


@pytest.fixture
def breaking(fakes):
    """A trial that raises before its fifth step, so often."""

    def make(times):
        left = [times]

        def run_trial(config, context):
            for measurement in fakes.run_trial(config, context):
                if measurement.step == 5 and left[0]:
                    left[0] -= 1
                    raise OSError("the disk is gone")
                yield measurement

        return run_trial

    return make


def test_a_trial_that_raised_goes_on_where_it_was_as_the_same_trial(
    new_sweep, simulate, breaking, observed
):
    folder = new_sweep(target=2)

    outcome = simulate(folder, breaking(2), [observed])

    assert [trial.state for trial in outcome.trials] == ["complete"] * 2
    assert starts_and_steps(folder, 0) == (3, [f"step {n}" for n in range(1, 9)])
    ends = [event for event in observed.of("end") if event[0] == 0]
    assert [end[1] for end in ends] == ["stopped", "stopped", "complete"]
    assert ends[1][3] == "OSError: the disk is gone; resumes where it was (retry 2 of 3)"
    assert attributes(folder, 0)["retries"] == 2


def test_what_keeps_on_raising_fails_with_its_traceback_and_the_sweep_goes_on(
    new_sweep, simulate, fakes, monkeypatch, observed
):
    monkeypatch.setenv("FAKE_CRASHING", "[1]")
    folder = new_sweep(target=2, max_failures=2)

    outcome = simulate(folder, fakes.run_trial, [observed])

    assert [trial.state for trial in outcome.trials] == ["complete", "failed", "complete"]
    assert starts_and_steps(folder, 1)[0] == 3
    assert outcome.trials[1].reason == "ZeroDivisionError: a bug"
    assert "in _misbehave" in attributes(folder, 1)["traceback"]


def test_what_somebody_must_mend_is_not_tried_again(new_sweep, simulate, fakes, monkeypatch):
    monkeypatch.setenv("FAKE_FAILING", "[1]")
    folder = new_sweep(target=2)

    outcome = simulate(folder, fakes.run_trial)

    assert outcome.trials[1].reason == "no circle in LC_031"
    assert starts_and_steps(folder, 1)[0] == 1
    assert "retries" not in attributes(folder, 1)


def test_no_retries_at_all_can_be_asked_for(new_sweep, simulate, breaking):
    outcome = simulate(new_sweep(target=1, max_failures=0), breaking(1))

    assert [trial.state for trial in outcome.trials] == ["failed", "complete"]
    with pytest.raises(ConfigError, match="max failures is -1"):
        new_sweep(name="two", max_failures=-1)


def test_a_kill_does_not_forget_how_often_a_trial_has_failed(new_sweep, ledger_of):
    folder = new_sweep(target=2, max_failures=2)
    for retry in (1, 2):
        ledger = ledger_of(folder)
        assert ledger.next().number == 0
        assert ledger.retry(0, "OSError") == retry

    last = ledger_of(folder)
    assert last.next().number == 0
    assert last.retry(0, "OSError") == 0
    last.fail(0, "OSError", "trace")
    assert [record.state for record in last.records()] == ["failed"]


def test_a_trial_that_starts_again_keeps_its_place_and_its_config(new_sweep, ledger_of):
    ledger = ledger_of(new_sweep(target=2))
    first, second = ledger.next(), ledger.next()
    assert ledger.next() is None

    ledger.retry(first.number, "OSError")
    assert not ledger.is_done
    assert ledger.next() == first
    assert ledger.next() is None
    ledger.complete(first.number, 0.5)
    ledger.complete(second.number, 0.5)
    assert ledger.is_done


def retrying(folder):
    return Ledger(folder, retries_failed=True)


def test_failed_trials_have_another_go_first_of_all_as_trials_that_name_them(
    new_sweep, simulate, fakes, monkeypatch
):
    monkeypatch.setenv("FAKE_FAILING", "[1]")
    folder = new_sweep(target=3)
    before = simulate(folder, fakes.run_trial).trials
    failed = before[1]
    assert [trial.state for trial in before] == ["complete", "failed", "complete", "complete"]

    ledger = retrying(folder)
    scheduled = ledger.next()
    assert scheduled.number == 4
    assert scheduled.config.digest == failed.digest
    assert scheduled.suggestion == failed.suggestion
    assert ledger.next() is None  # the target is reached already
    ledger.complete(4, 0.5)
    assert ledger.is_done
    assert ledger.records()[4].retry_of == 1
    assert [record.state for record in ledger.records()].count("failed") == 1
    ledger.close()

    again = retrying(folder)  # asked a second time, nothing is left to try
    assert again.is_done
    again.close()


def test_a_retry_that_fails_as_well_is_not_repeated_until_asked_for(new_sweep, ledger_of):
    folder = new_sweep(target=1)
    ledger = ledger_of(folder)
    ledger.next()
    ledger.fail(0, "no circle", "")
    refill = ledger.next()  # trial 0 has a second chance anyway
    assert refill.config == folder.space().trial({})
    ledger.fail(refill.number, "no circle", "")
    ledger.complete(ledger.next().number, 0.5)
    assert ledger.is_done
    ledger.close()

    for number in (3, 4):
        ledger = retrying(folder)
        scheduled = ledger.next()
        assert (scheduled.number, scheduled.config) == (number, refill.config)
        ledger.fail(number, "no circle", "")
        assert ledger.next() is None
        ledger.close()


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("bearing_search.sweep.driver.stall_monitor.time.monotonic", lambda: now[0])
    return now


def test_a_long_silence_is_told_once_and_compared_with_others(clock):
    stall_monitor = StallMonitor()
    stall_monitor.begin(0)
    stall_monitor.begin(7)
    for _ in range(10):
        clock[0] += 240
        stall_monitor.on_report(0)
    told = "has reported nothing for 40 min; the longest silence so far was 4 min"
    assert stall_monitor.stalled() == {7: told}
    assert stall_monitor.stalled() == {}
    stall_monitor.on_report(7)  # 40 minutes are not unusual any more
    clock[0] += 5 * 2400
    assert stall_monitor.stalled() == {}
    clock[0] += 1
    assert set(stall_monitor.stalled()) == {0, 7}
    stall_monitor.end(0)
    stall_monitor.end(7)
    clock[0] += 1e6
    assert stall_monitor.stalled() == {}


def test_a_short_silence_is_no_news_however_busy_the_others_are(clock):
    stall_monitor = StallMonitor()
    stall_monitor.begin(0)
    clock[0] += 1
    stall_monitor.on_report(0)
    clock[0] += STALL_S
    assert stall_monitor.stalled() == {}


def test_a_trial_is_overdue_once_and_stuck_after_its_grace(clock):
    stall_monitor = StallMonitor(timeout_s=100)
    stall_monitor.begin(3)
    clock[0] += 100
    assert stall_monitor.timed_out() == []
    clock[0] += 1
    assert stall_monitor.timed_out() == [3]
    assert stall_monitor.timed_out() == stall_monitor.unresponsive() == []
    clock[0] += GRACE_S + 1
    assert stall_monitor.unresponsive() == [3]
    assert stall_monitor.unresponsive() == []
    stall_monitor.end(3)
    stall_monitor.begin(3)  # again, at resume: its time begins anew
    assert stall_monitor.timed_out() == []


def test_an_overdue_trial_is_asked_to_end_and_has_failed(new_sweep, ledger_of, observed, clock):
    folder = new_sweep(target=2)
    controller = SweepController(
        folder, ledger_of(folder), [observed], StopRequest(folder), StallMonitor(timeout_s=1800)
    )
    controller.begin()
    controller.concurrent = 2
    controller.next_trial()
    controller.next_trial()
    clock[0] += 2000
    controller.poll()
    assert (folder.trial_folder(0) / TRIAL_STOP).exists()
    done = Measurement(step=1, values={OBJECTIVE: 0.5})
    controller.on_report(1, {"measurement": to_json(done)})
    controller.on_trial_end(0, crash=("killed", ""))
    controller.on_trial_end(1)

    assert observed.of("end") == [
        (0, "failed", None, "exceeded --trial-timeout (30 min)"),
        (1, "complete", 0.5, ""),  # it ended in time, just
    ]


def test_a_silent_trial_is_remarked_on_with_its_log(new_sweep, ledger_of, clock, caplog):
    folder = new_sweep(target=1)
    controller = SweepController(folder, ledger_of(folder), [], StopRequest(folder))
    controller.next_trial()
    clock[0] += 1860
    with caplog.at_level(logging.WARNING):
        controller.poll()
    log = folder.trial_folder(0) / "log.txt"
    assert caplog.messages == [f"trial 0 has reported nothing for 31 min; its log is {log}"]


def test_status_says_how_long_a_running_trial_has_been_silent(new_sweep, simulate, fakes):
    folder = new_sweep(target=1)
    seen = []

    def look(number, message, stop):
        for name in ("measurements.jsonl", "config.json"):
            file = folder.trial_folder(0) / name
            os.utime(file, (time.time() - 2000,) * 2)
        seen.append(sweep_status(folder).silent_s)

    simulate(folder, fakes.run_trial, on_message=look)

    assert seen[0][0] == pytest.approx(2000, abs=30)
    assert sweep_status(folder).silent_s == {}


def test_the_process_of_a_trial_can_be_killed_where_it_is_ours(tmp_path):
    kill_worker(tmp_path)  # nobody works there
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = {"host": "another", "pid": process.pid}
        (tmp_path / "lock").write_text(json.dumps(owner))
        kill_worker(tmp_path)
        assert process.poll() is None
        (tmp_path / "lock").write_text(json.dumps(owner | {"host": socket.gethostname()}))
        kill_worker(tmp_path)
        assert process.wait(timeout=10) == -9
        kill_worker(tmp_path)  # gone already


@pytest.mark.parametrize(
    ("text", "is_short", "words"),
    [
        (
            "Task was killed due to the node running low on memory.",
            False,
            "Ray killed its process 4 ",
        ),
        ("Worker exit type: SYSTEM_ERROR", False, "killed 4 times (by kill -9, a crash"),
        ("Worker exit type: SYSTEM_ERROR", True, "the system ran out of memory. Run fewer"),
        ("Traceback\nRuntimeError: x\n", True, "died 4 times; last error: RuntimeError: x"),
        ("", False, "died 4 times; last error: killed"),
    ],
)
def test_a_death_is_told_in_words(text, is_short, words):
    assert words in describe_exit(text, times=4, was_short_of_memory=is_short)


def test_the_systems_own_count_of_kills_is_read(tmp_path):
    (tmp_path / "vmstat").write_text("pgfault 7\noom_kill 3\n")
    assert oom_kill_count(tmp_path / "vmstat") == 3
    assert oom_kill_count(tmp_path / "nothing") == 0
    assert oom_kill_count() >= 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1.5h", 5400), ("2d", 172800)]
)
def test_a_duration_has_a_unit_or_is_in_seconds(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "h", "-3", "5 weeks"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(typer.BadParameter, match="is not a duration"):
        seconds_of(text)


@pytest.mark.slow
def test_a_process_that_is_always_killed_fails_in_words_and_is_retried_when_asked(drive):
    driver = drive("one", 2, "--max-failures", 1, FAKE_KILLED="[1]")
    status, outcome, error = driver.finish()

    assert (status, error) == (0, "")
    assert (outcome["complete"], outcome["failed"]) == (2, 1)
    assert [line["what"] for line in driver.audit()[1]].count("start") == 2
    assert outcome["reasons"]["1"].startswith("its process was killed 2 times")

    again = drive("one", 2, "--retry-failed")
    assert again.finish()[1]["complete"] == 3


@pytest.mark.slow
def test_a_trial_that_hangs_is_ended_and_the_sweep_finishes(drive):
    driver = drive("one", 1, "--trial-timeout", 12, FAKE_HANGING="[0]", FAKE_GRACE_S="3")
    status, outcome, error = driver.finish()

    assert (status, error) == (0, "")
    assert (outcome["complete"], outcome["failed"]) == (1, 1)
    assert outcome["reasons"]["0"] == "exceeded --trial-timeout (12 s)"
