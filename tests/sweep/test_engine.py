"""Real Ray and real MLflow, drivers in processes of their own, killed in every way."""

import os
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

STEPS = [f"step {n}" for n in range(1, 9)]
LOCAL = ("--mlflow", "local")


def steps_of(driver):
    """What every trial trained, in order; a step after the last checkpoint may stand twice."""
    return {
        number: [line["what"] for line in lines if line["what"] != "start"]
        for number, lines in driver.audit().items()
    }


def told_trials(results, name):
    with closing(sqlite3.connect(results / name / "ledger.db")) as database:
        return dict(database.execute("select number, state from trials").fetchall())


def child_runs(results, name):
    """Trial number -> (status, steps of the loss, by time of logging)."""
    with closing(sqlite3.connect(results / "mlflow.db")) as database:
        rows = database.execute(
            "select t.value, r.status, r.run_uuid from runs r join tags t "
            "on t.run_uuid = r.run_uuid and t.key = 'bearing_search.trial' "
            "join experiments e on e.experiment_id = r.experiment_id where e.name = ?",
            (name,),
        ).fetchall()
        steps = {
            run: [
                step
                for (step,) in database.execute(
                    "select step from metrics where run_uuid = ? and key = 'z_details/train/loss' "
                    "order by timestamp, step",
                    (run,),
                )
            ]
            for _, _, run in rows
        }
        assert len({number for number, _, _ in rows}) == len(rows), "a trial has two runs"
        (parent,) = database.execute(
            "select r.status from runs r join experiments e on e.experiment_id = r.experiment_id "
            "where e.name = ? and r.run_uuid not in "
            "(select run_uuid from tags where key = 'bearing_search.trial')",
            (name,),
        ).fetchall()
    return {int(number): (status, steps[run]) for number, status, run in rows}, parent[0]


def assert_each_step_once_but_after_a_checkpoint(trained, most_repeats):
    repeats = 0
    for number, steps in trained.items():
        assert sorted(set(steps)) == STEPS, number
        assert steps == sorted(steps), number  # it never goes further back than its checkpoint
        repeats += len(steps) - len(STEPS)
    assert repeats <= most_repeats


def test_two_kills_of_the_driver_lose_nothing_and_repeat_nothing(drive, tmp_path):
    for steps in (5, 20):
        driver = drive("one", 5, *LOCAL)
        driver.wait_for_steps(steps)
        family = psutil.Process(driver.process.pid).children(recursive=True)
        assert len(family) > 4  # raylet, gcs, agents, two workers
        driver.process.kill()
        driver.finish()
    status, outcome, error = drive("one", 5, *LOCAL).finish()

    assert (status, error) == (0, "")
    assert outcome["complete"] == 5
    assert not outcome["torch"]
    assert told_trials(tmp_path, "one") == dict.fromkeys(range(5), "COMPLETE")
    # two trials ran at each of the two kills: each may lose the step it was in
    assert_each_step_once_but_after_a_checkpoint(steps_of(driver), most_repeats=4)
    runs, parent = child_runs(tmp_path, "one")
    assert runs == dict.fromkeys(range(5), ("FINISHED", list(range(1, 9))))
    assert parent == "FINISHED"
    assert {tuple(line["heavy"]) for lines in driver.audit().values() for line in lines} == {()}
    _, orphans = psutil.wait_procs(family, timeout=20)
    assert orphans == []


def test_a_long_sweep_goes_through_several_tuners_and_nobody_notices(drive, tmp_path):
    options = ("--chapter", "3", *LOCAL)
    driver = drive("one", 7, *options)
    driver.wait_for_steps(28)  # in the second of them
    driver.process.kill()
    driver.finish()
    status, outcome, error = drive("one", 7, *options).finish()

    assert (status, error) == (0, "")
    assert outcome["complete"] == 7
    assert len(list((tmp_path / "one" / "ray").iterdir())) >= 4
    assert told_trials(tmp_path, "one") == dict.fromkeys(range(7), "COMPLETE")
    assert_each_step_once_but_after_a_checkpoint(steps_of(driver), most_repeats=2)
    runs, parent = child_runs(tmp_path, "one")
    assert runs == dict.fromkeys(range(7), ("FINISHED", list(range(1, 9))))
    assert parent == "FINISHED"


def test_audit_and_finalists_run_once_each_though_the_driver_is_killed_among_them(drive, tmp_path):
    seeds = ("--audit", "3", "--finalists", "2", *LOCAL)
    for steps in (12, 38):  # among the audit, and among the finalists
        driver = drive("one", 2, *seeds)
        driver.wait_for_steps(steps)
        driver.process.kill()
        driver.finish()
    status, outcome, error = drive("one", 2, *seeds).finish()

    assert (status, error) == (0, "")
    # two searched, two more of the audit, two finalists; one of those may be in the audit already
    assert outcome["complete"] in (5, 6)
    assert_each_step_once_but_after_a_checkpoint(steps_of(driver), most_repeats=4)
    runs, parent = child_runs(tmp_path, "one")
    assert runs == dict.fromkeys(range(outcome["complete"]), ("FINISHED", list(range(1, 9))))
    assert parent == "FINISHED"


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["driver", "process_group"])
def test_a_signal_stops_the_trials_where_they_are_and_the_sweep_is_extended_later(
    drive, tmp_path, send
):
    driver = drive("one", 3, *LOCAL, step_s=0.3)
    driver.wait_for_steps(3)
    send(driver.process.pid, signal.SIGTERM)
    began = time.monotonic()
    status, outcome, error = driver.finish()
    assert time.monotonic() - began < 30

    assert (status, error) == (130, "")
    assert outcome["stopped_by"] == "signal"
    assert 1 <= outcome["running"] <= 2
    runs, parent = child_runs(tmp_path, "one")
    assert {run_status for run_status, _ in runs.values()} == {"KILLED"}
    assert parent == "KILLED"

    status, outcome, _ = drive("one", 4, *LOCAL).finish()
    assert (status, outcome["complete"]) == (0, 4)
    assert_each_step_once_but_after_a_checkpoint(steps_of(driver), most_repeats=0)
    runs, parent = child_runs(tmp_path, "one")
    assert runs == dict.fromkeys(range(4), ("FINISHED", list(range(1, 9))))
    assert parent == "FINISHED"


def removed_folder_of_ray(family):
    """Removes the folder of Ray's sockets and logs, as a cleaner of temporary files might."""
    (raylet,) = [process for process in family if process.name() == "raylet"]
    files = [Path(file.path) for file in raylet.open_files()]
    (folder,) = {one for file in files for one in file.parents if one.name.startswith("bs-")}
    shutil.rmtree(folder, ignore_errors=True)


def killed(name):
    def kill(family):
        (process,) = [process for process in family if process.name() == name]
        process.kill()

    return kill


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (killed("raylet"), "its raylet was killed"),
        (killed("gcs_server"), "its gcs_server was killed"),
        (removed_folder_of_ray, "its folder"),
    ],
    ids=["raylet", "gcs_server", "folder"],
)
def test_a_session_ends_in_one_line_when_ray_has_died_below_it_and_resume_goes_on(
    drive, tmp_path, harm, reason
):
    driver = drive("one", 4, *LOCAL, step_s=0.3)
    driver.wait_for_steps(3)
    family = psutil.Process(driver.process.pid).children(recursive=True)
    harm(family)
    began = time.monotonic()
    status, _, error = driver.finish()

    assert status == 5
    assert error.startswith(f"error: Ray has died on this machine ({reason}")
    assert error.count("\n") == 1
    assert time.monotonic() - began < 45
    assert psutil.wait_procs(family, timeout=20)[1] == []
    runs, parent = child_runs(tmp_path, "one")
    assert {run_status for run_status, _ in runs.values()} <= {"KILLED", "FINISHED"}
    assert "KILLED" in {run_status for run_status, _ in runs.values()}

    status, outcome, _ = drive("one", 4, *LOCAL).finish()
    assert (status, outcome["complete"]) == (0, 4)
    assert_each_step_once_but_after_a_checkpoint(steps_of(driver), most_repeats=2)
    runs, parent = child_runs(tmp_path, "one")
    assert runs == dict.fromkeys(range(4), ("FINISHED", list(range(1, 9))))
    assert parent == "FINISHED"


def test_a_second_signal_ends_everything_at_once(drive):
    driver = drive("one", 3, step_s=30)
    deadline = time.monotonic() + 60
    while not driver.audit() and time.monotonic() < deadline:
        time.sleep(0.1)
    family = psutil.Process(driver.process.pid).children(recursive=True)

    driver.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert driver.process.poll() is None
    driver.process.send_signal(signal.SIGTERM)

    assert driver.process.wait(timeout=5) == 128 + signal.SIGTERM
    _, alive = psutil.wait_procs(family, timeout=15)
    assert alive == []


def test_a_second_driver_is_refused_and_the_time_budget_ends_the_first_resumably(drive):
    first = drive("one", 2, "--time-budget", "20", step_s=4)
    first.wait_for_steps(1)

    status, _, error = drive("one", 2).finish()
    assert status == 6
    assert f"held by process {first.process.pid} on" in error
    (first.results / "one" / "lock").unlink()
    status, _, error = drive("one", 2).finish()
    assert status == 6
    assert f"held by process {first.process.pid} on" in error
    assert "lock file was deleted" in error

    status, outcome, error = first.finish()
    assert (status, outcome["stopped_by"]) == (0, "time budget")
    assert outcome["complete"] < 2
    assert drive("one", 2).finish()[1]["complete"] == 2
    assert_each_step_once_but_after_a_checkpoint(steps_of(first), most_repeats=0)


def test_gpu_hours_end_a_session_resumably(drive):
    driver = drive("one", 2, "--logical-gpus", "2", "--gpu-budget", "8", step_s=2)
    status, outcome, error = driver.finish()

    assert (status, outcome["stopped_by"]) == (0, "GPU hours"), error
    assert outcome["complete"] < 2
    assert drive("one", 2, "--logical-gpus", "2").finish()[1]["complete"] == 2
    assert_each_step_once_but_after_a_checkpoint(steps_of(driver), most_repeats=0)


def test_more_gpus_than_there_are_is_refused_at_once(drive):
    status, _, error = drive("one", 2, "--gpus", "5", "--logical-gpus", "4").finish(60)

    assert status == 5
    assert error.startswith("error: requested 5 GPUs per trial; this machine has 4")


def test_a_killed_worker_goes_on_from_its_folder_even_without_a_home(drive):
    driver = drive("링", 2, HOME="", FAKE_KILLED_ONCE="[0]")
    status, outcome, error = driver.finish()

    assert (status, error) == (0, "")
    assert (outcome["complete"], outcome["failed"]) == (2, 0)
    assert_each_step_once_but_after_a_checkpoint(steps_of(driver), most_repeats=0)
    assert [line["what"] for line in driver.audit()[0]].count("start") == 2
