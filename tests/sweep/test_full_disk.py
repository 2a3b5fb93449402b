"""A disk without room: one line, nothing lost, and no trial made to fail by it."""

import errno
import sqlite3
from pathlib import Path

import pytest
import typer

from bearing_search import cli
from bearing_search.errors import DiskFullError, SweepError
from bearing_search.filesystem.disk_full import disk_full_error, is_disk_full
from bearing_search.sweep.driver.controller import SweepController
from bearing_search.sweep.driver.session import StopRequest
from bearing_search.sweep.study.storage import storage_errors

FULL = OSError(errno.ENOSPC, "No space left on device", "/data/file")


def test_a_full_disk_is_told_from_other_troubles_whatever_it_went_through():
    wrapped = RuntimeError("saving")
    wrapped.__cause__ = FULL
    assert all(
        is_disk_full(error)
        for error in (
            FULL,
            OSError(errno.EDQUOT, "Disk quota exceeded"),
            wrapped,
            DiskFullError("said before"),
            sqlite3.OperationalError("database or disk is full"),
        )
    )
    assert not is_disk_full(PermissionError(errno.EACCES, "no"))
    assert not is_disk_full(None)


def test_its_line_names_the_place_and_what_to_do():
    assert str(disk_full_error(FULL, "results")).startswith("/data/file: the disk is full. Free")
    unnamed = OSError(errno.ENOSPC, "No space left on device")
    assert str(disk_full_error(unnamed, Path("results"))).startswith("results: the disk is full")
    assert "`resume`" in str(disk_full_error(unnamed, "results"))
    assert "\n" not in str(disk_full_error(unnamed, "results"))


def use_ledger(words):
    with storage_errors("sqlite:///ledger.db"):
        raise sqlite3.OperationalError(words)


def test_a_ledger_without_room_is_no_broken_ledger():
    with pytest.raises(DiskFullError, match=r"ledger.db: the disk is full"):
        use_ledger("database or disk is full")
    with pytest.raises(SweepError, match="the ledger cannot be used"):
        use_ledger("no such table: trials")


def test_a_trial_that_finds_no_room_stays_and_the_session_ends(
    new_sweep, simulate, fakes, observed, monkeypatch
):
    folder = new_sweep(target=2)

    def trial(config, context):
        yield next(iter(fakes.run_trial(config, context)))
        raise FULL

    with pytest.raises(DiskFullError, match="/data/file: the disk is full"):
        simulate(folder, trial, [observed])
    assert [event[:2] for event in observed.of("end")] == [(0, "stopped")]
    assert not (folder.trial_folder(0) / "traceback.txt").exists()

    outcome = simulate(folder, fakes.run_trial)
    assert (outcome.count("complete"), outcome.count("failed")) == (2, 0)


def test_a_driver_that_finds_no_room_ends_its_session(
    new_sweep, simulate, fakes, observed, monkeypatch
):
    folder = new_sweep(target=2)
    append, room = "bearing_search.trial_history.measurement_log.MeasurementLog.append", [3]

    def refuse(*_):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(append, refuse)
        with pytest.raises(DiskFullError, match=str(folder.root)):
            simulate(folder, fakes.run_trial, [observed])
    outcome = simulate(folder, fakes.run_trial)
    assert (outcome.count("complete"), outcome.count("failed")) == (2, 0)


def test_workers_are_told_to_stop_although_no_file_can_be_made(new_sweep, ledger_of, monkeypatch):
    folder = new_sweep()
    folder.sessions.mkdir()
    (folder.sessions / "s1.json").touch()
    controller = SweepController(folder, ledger_of(folder), [], StopRequest(folder))

    def refuse(*_, **__):
        raise FULL

    monkeypatch.setattr(Path, "touch", refuse)
    controller.record_error(FULL)
    assert list(folder.sessions.iterdir()) == []


def test_every_command_says_it_in_one_line(monkeypatch, capsys):
    def refuse(*_, **__):
        raise FULL

    monkeypatch.setattr(cli, "app", refuse)
    monkeypatch.setattr(refuse, "info", typer.Typer().info, raising=False)
    assert cli.main([]) == 5
    error = capsys.readouterr().err
    assert error.startswith("error: /data/file: the disk is full")
    assert error.count("\n") == 1
