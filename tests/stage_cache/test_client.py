import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bearing_search.stage_cache.client import (
    CacheClient,
    ClientId,
    LivenessProbe,
    client_file,
    is_dead,
    parse_client_id,
    pinned_by_the_living,
    process_start,
    this_machine,
)

OURS = ClientId(this_machine(), os.getpid(), process_start(os.getpid()) or 0, "0")
GONE = replace(OURS, started=OURS.started - 1000)
"""Our process id, but of a process that began long before: ours is its successor."""

ELSEWHERE = replace(GONE, machine="elsewher")


def beat(root: Path, client_id: ClientId, *, ago_s: float = 0) -> None:
    file = client_file(root, client_id)
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"host": "there", "pins": ["encoder/1"]}')
    os.utime(file, (time.time() - ago_s,) * 2)


def wait_until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.01)


def is_pinned(root: Path, name: str) -> bool:
    return pinned_by_the_living(root, stale_s=60)(name)


def test_a_token_survives_its_text():
    assert parse_client_id(str(OURS)) == OURS


def test_the_start_of_a_process_does_not_depend_on_the_clock():
    ticks = process_start(os.getpid())
    assert ticks is not None
    since_boot = psutil.Process().create_time() - psutil.boot_time()
    assert ticks / os.sysconf("SC_CLK_TCK") == pytest.approx(since_boot, abs=2)
    with subprocess.Popen(["true"]) as child:
        while process_start(child.pid) is not None:  # a zombie has ended
            time.sleep(0.01)
    assert process_start(child.pid) is None


def test_a_reused_process_id_is_not_the_owner():
    assert not OURS.is_dead_process
    assert GONE.is_dead_process
    assert not ELSEWHERE.is_dead_process  # who knows


@pytest.mark.parametrize(
    ("client_id", "ago_s", "dead"),
    [(OURS, 999, False), (GONE, 0, True), (ELSEWHERE, 3, False), (ELSEWHERE, 999, True)],
)
def test_beats_speak_for_processes_of_other_machines_only(tmp_path, client_id, ago_s, dead):
    beat(tmp_path, client_id, ago_s=ago_s)
    assert is_dead(tmp_path, client_id, stale_s=60) == dead
    assert is_pinned(tmp_path, "encoder/1") != dead
    assert not is_pinned(tmp_path, "encoder/2")
    assert client_file(tmp_path, client_id).exists() != dead


def test_a_clock_that_is_hours_off_kills_nobody_who_beats(tmp_path):
    liveness = LivenessProbe(tmp_path, stale_s=0.2)
    until = time.monotonic() + 0.5
    number = 0
    while time.monotonic() < until:
        number += 1
        beat(tmp_path, ELSEWHERE, ago_s=5000 - number)
        assert not liveness.is_gone(ELSEWHERE)
        time.sleep(0.01)
    time.sleep(0.25)
    assert liveness.is_gone(ELSEWHERE)


def test_a_holder_beats_lists_its_pins_and_leaves(tmp_path):
    (tmp_path / "holders").mkdir()
    client = CacheClient(tmp_path, heartbeat_s=0.02, on_beat=lambda: None)
    client.pin("encoder/1")
    client.pin("detector/2")
    assert is_pinned(tmp_path, "encoder/1")
    assert is_pinned(tmp_path, "detector/2")
    assert not is_pinned(tmp_path, "encoder/2")
    file = client_file(tmp_path, client.client_id)
    os.utime(file, (0, 0))
    wait_until(lambda: file.stat().st_mtime > 0)
    file.unlink()  # somebody took it for dead while the machine slept
    wait_until(lambda: is_pinned(tmp_path, "encoder/1"))
    client.unpin_all()
    assert not is_pinned(tmp_path, "encoder/1")
    client.close()
    assert not file.exists()


def damaged(file: Path, how: str) -> None:
    file.unlink()
    if how == "folder":
        file.mkdir()
    else:
        file.write_bytes({"empty": b"", "garbage": b"\xff\x00", "null": b"null"}[how])


@pytest.mark.parametrize("how", ["empty", "garbage", "null", "folder"])
def test_a_damaged_file_of_a_live_client_protects_everything_until_it_is_written_anew(
    tmp_path, how, caplog
):
    (tmp_path / "holders").mkdir()
    client = CacheClient(tmp_path, heartbeat_s=60, on_beat=lambda: None)
    file = client_file(tmp_path, client.client_id)
    damaged(file, how)
    assert is_pinned(tmp_path, "encoder/1")
    assert f"{file}: cannot be read" in caplog.text
    client.pin("encoder/2")
    assert not is_pinned(tmp_path, "encoder/1")
    assert is_pinned(tmp_path, "encoder/2")
    damaged(file, how)
    client.close()
    assert not file.exists()


def test_the_next_beat_mends_a_damaged_file(tmp_path):
    (tmp_path / "holders").mkdir()
    client = CacheClient(tmp_path, heartbeat_s=0.02, on_beat=lambda: None)
    client.pin("encoder/1")
    damaged(client_file(tmp_path, client.client_id), "garbage")
    wait_until(lambda: not is_pinned(tmp_path, "encoder/2"))
    assert is_pinned(tmp_path, "encoder/1")
    client.close()


@pytest.mark.parametrize("how", ["empty", "garbage", "folder"])
def test_damaged_files_of_the_dead_and_files_that_are_not_ours_hold_nothing(tmp_path, how):
    beat(tmp_path, GONE)
    damaged(client_file(tmp_path, GONE), how)
    (tmp_path / "holders/notes.json").write_text("x")
    assert not is_pinned(tmp_path, "encoder/1")
    assert not client_file(tmp_path, GONE).exists()
    assert (tmp_path / "holders/notes.json").exists()
