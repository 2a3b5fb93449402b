"""Real processes, but no torch: a child is up in a tenth of a second."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bearing_search.errors import DiskFullError
from bearing_search.stage_cache.cache import StageCache
from bearing_search.stage_cache.entry import ClaimLostError, read_manifest, read_users
from bearing_search.stage_cache.eviction import list_entries
from bearing_search.stage_cache.key import StageKey
from bearing_search.stage_cache.limit import set_max_bytes

CHILD = """
import os, sys, time
from pathlib import Path
from bearing_search.stage_cache.cache import StageCache
from bearing_search.stage_cache.key import StageKey

root, mode = Path(sys.argv[1]), sys.argv[2]
store = StageCache(root / "store", heartbeat_s=0.05, missed_heartbeats=200)
(root / f"ready-{os.getpid()}").touch()
while not (root / "go").exists():
    time.sleep(0.005)
with store.claim(StageKey("encoder", {"n": 1}), user=f"child/{os.getpid()}") as entry:
    if not entry.is_done:
        progress = entry.folder / "progress"
        steps = int(progress.read_text()) if progress.exists() else 0
        with (root / "log").open("a") as log:
            log.write(f"{os.getpid()} from {steps}\\n")
        progress.write_text("7")
        time.sleep({"work": 0.1, "nap": 0.4, "hang": 60}[mode])
        (entry.folder / "output").write_text("weights")
        store.finish(entry)
    print((entry.folder / "output").read_text(), entry.is_done)
store.close()
"""


@pytest.fixture
def spawn(tmp_path) -> Iterator:
    children = []

    def spawn(mode: str = "work") -> subprocess.Popen:
        command = [sys.executable, "-c", CHILD, str(tmp_path), mode]
        children.append(
            subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        )
        return children[-1]

    yield spawn
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def store(tmp_path) -> Iterator[StageCache]:
    with closing(quick(tmp_path / "store")) as opened:
        yield opened


def quick(root: Path, *, missed_heartbeats: int = 200, **more) -> StageCache:
    return StageCache(root, heartbeat_s=0.05, missed_heartbeats=missed_heartbeats, **more)


def key(n: int = 1, stage: str = "encoder") -> StageKey:
    return StageKey(stage, {"n": n})


def fill(store: StageCache, n: int = 1, *, size: int = 1000, user: str = "a/trials/0") -> Path:
    with store.claim(key(n), user=user, title=f"number {n}") as entry:
        if not entry.is_done:
            (entry.folder / "output").write_bytes(bytes(size))
            store.finish(entry)
        return entry.folder


def wait_until(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.01)


def log_of(tmp_path: Path) -> list[str]:
    file = tmp_path / "log"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.slow
def test_four_processes_ask_for_one_thing_and_one_computes_it(tmp_path, spawn):
    children = [spawn() for _ in range(4)]
    wait_until(lambda: len(list(tmp_path.glob("ready-*"))) == 4)
    (tmp_path / "go").touch()
    said = [child.communicate(timeout=20)[0] for child in children]

    assert said == ["weights True\n"] * 4
    assert len(log_of(tmp_path)) == 1
    [entry_info] = list_entries(tmp_path / "store")
    assert (entry_info.state, entry_info.is_pinned, len(entry_info.users)) == ("done", False, 4)
    assert entry_info.saved_s == pytest.approx(3 * entry_info.computed_s)
    assert entry_info.computed_s >= 0.1


def test_the_checkpoint_of_a_killed_process_is_taken_over_at_once(tmp_path, spawn):
    (tmp_path / "go").touch()
    first = spawn("hang")
    wait_until(lambda: log_of(tmp_path))
    second = spawn()
    wait_until(lambda: len(list(tmp_path.glob("ready-*"))) == 2)
    time.sleep(0.2)
    assert len(log_of(tmp_path)) == 1  # the second one waits
    first.kill()
    first.wait()

    assert second.communicate(timeout=20)[0] == "weights True\n"
    assert log_of(tmp_path) == [f"{first.pid} from 0", f"{second.pid} from 7"]


def test_a_process_that_hangs_loses_its_work_and_cannot_write_any_more(tmp_path, spawn):
    (tmp_path / "go").touch()
    hanging = spawn("nap")
    wait_until(lambda: log_of(tmp_path))
    os.kill(hanging.pid, signal.SIGSTOP)
    with (
        closing(quick(tmp_path / "store", missed_heartbeats=6)) as store,
        store.claim(key(), user="b/trials/0") as entry,
    ):
        assert (entry.folder / "progress").read_text() == "7"
        os.kill(hanging.pid, signal.SIGCONT)
        err = hanging.communicate(timeout=20)[1]
        assert "ClaimLostError" in err
        assert not (entry.folder / "output").exists()
        (entry.folder / "output").write_text("mine")
        store.finish(entry)
    assert (entry.folder / "output").read_text() == "mine"


@pytest.mark.parametrize("late", ["write", "finish"])
def test_whoever_lost_a_claim_is_told(store, late):
    def claim_and_lose() -> None:
        with store.claim(key(), user="a") as entry:
            entry.folder.rename(entry.folder.with_name("work.free"))  # as another process would
            assert entry.is_lost
            if late == "write":
                (entry.folder / "output").write_text("too late")
            store.finish(entry)

    with pytest.raises(ClaimLostError):
        claim_and_lose()
    assert [o.state for o in list_entries(store.root)] == ["stopped"]


def test_a_claim_left_by_an_error_goes_on_with_what_was_there(store):
    def fail() -> None:
        with store.claim(key(), user="a") as entry:
            (entry.folder / "progress").write_text("3")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.claim(key(), user="b") as entry:
        assert (entry.folder / "progress").read_text() == "3"
        assert entry.saved_s > 0
        store.finish(entry)
    assert set(read_manifest(entry.folder).seconds) == {"a", "b"}


def test_waiting_ends_when_asked_to_stop(tmp_path, store, caplog):
    caplog.set_level("INFO")
    with closing(quick(tmp_path / "store")) as other, store.claim(key(), user="a") as held:
        asked = iter([False, False, True])
        with other.claim(key(), user="b", should_stop=lambda: next(asked)) as entry:
            assert entry is None
        assert not held.is_lost
    assert caplog.text.count("waiting for another process to compute it") == 1


def test_another_thread_waits_for_its_own_process(tmp_path, store):
    found = []

    def claim() -> None:
        impatient = quick(tmp_path / "store", missed_heartbeats=8)
        with closing(impatient) as other, other.claim(key(), user="b") as entry:
            found.append(entry.is_done)

    with store.claim(key(), user="a") as entry:
        thread = threading.Thread(target=claim)
        thread.start()
        time.sleep(0.6)  # longer than the patience with one that does not beat
        assert not found
        store.finish(entry)
    thread.join()
    assert found == [True]


@pytest.mark.parametrize("harm", ["truncate", "flip", "delete", "no manifest", "torn manifest"])
def test_a_damaged_output_is_moved_aside_and_computed_again(tmp_path, harm, caplog):
    with closing(quick(tmp_path / "store")) as writer:
        done = fill(writer)
    file = done / "output"
    match harm:
        case "truncate":
            os.truncate(file, 999)
        case "flip":
            file.write_bytes(b"x" + bytes(999))
        case "delete":
            file.unlink()
        case "no manifest":
            (done / "manifest.json").unlink()
        case "torn manifest":
            os.truncate(done / "manifest.json", 40)

    with closing(quick(tmp_path / "store")) as reader:
        with reader.claim(key(), user="b") as entry:
            assert not entry.is_done
            assert not list(entry.folder.iterdir())
            (entry.folder / "output").write_bytes(bytes(1000))
            reader.finish(entry)
        fill(reader)
    assert "will be recomputed" in caplog.text
    assert len(list((tmp_path / "store/quarantine").iterdir())) == 1


def test_a_digest_is_tested_once_in_a_process_and_sizes_always(tmp_path, store):
    with closing(quick(tmp_path / "store")) as other:
        file = fill(other) / "output"
    with store.claim(key(), user="b") as entry:
        assert entry.is_done
    file.write_bytes(b"x" + bytes(999))
    with store.claim(key(), user="b") as entry:
        assert entry.is_done  # the digest is known in this process
    os.truncate(file, 10)
    with store.claim(key(), user="b") as entry:
        assert not entry.is_done


def test_the_least_recently_used_goes_first(tmp_path, store):
    for n in (1, 2, 3):
        age(fill(store, n, size=100_000), 100 * (4 - n))
    fill(store, 1, user="b/trials/0")  # used again: now the youngest
    store.release()
    names = {key(n).name: n for n in range(5)}

    def present() -> set[int]:
        return {names[o.name] for o in list_entries(tmp_path / "store")}

    store.max_bytes = 350_000
    fill(store, 4, size=100_000)
    assert present() == {1, 3, 4}


def test_what_a_living_process_needs_is_not_deleted(tmp_path, store):
    old = fill(store, 1)
    age(old, 1000)
    with closing(quick(tmp_path / "store", max_bytes=0)) as other:
        fill(other, 2)
        assert list_entries(tmp_path / "store")[0].is_pinned
        assert old.exists()
        store.release()
        fill(other, 3)
        assert not old.exists()
        assert {o.name for o in list_entries(tmp_path / "store")} == {key(2).name, key(3).name}


def test_pins_die_with_their_process(tmp_path, store, spawn):
    (tmp_path / "go").touch()
    child = spawn("hang")
    wait_until(lambda: log_of(tmp_path))
    assert [(o.state, o.is_pinned) for o in list_entries(store.root)] == [("in work", True)]
    child.kill()
    child.wait()
    assert [(o.state, o.is_pinned) for o in list_entries(store.root)] == [("stopped", False)]


def test_work_that_was_stopped_outlives_finished_outputs(tmp_path):
    with closing(quick(tmp_path / "store")) as store:
        with store.claim(key(1), user="a") as entry:
            (entry.folder / "checkpoint").write_bytes(bytes(1000))
        age(entry.folder.with_name("work.free"), 1000)
        fill(store, 2)
    with closing(quick(tmp_path / "store")) as store:
        store.max_bytes = 1500
        fill(store, 3, size=10)
        assert {o.name for o in list_entries(store.root)} == {key(1).name, key(3).name}


def test_a_full_disk_makes_room_and_says_so_when_there_is_none(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")
    with closing(quick(tmp_path / "store")) as store:
        fill(store, 1)
        fill(store, 2)
        failures = [full, full]

        def write() -> str:
            if failures:
                raise failures.pop()
            return "written"

        store.release()
        assert store.with_room(write) == "written"
        assert list_entries(store.root) == []
        failures += [full] * 9
        with pytest.raises(DiskFullError, match="the disk is full"):
            store.with_room(write)


def test_other_errors_are_no_lack_of_space(store):
    fill(store)
    with pytest.raises(PermissionError):
        store.with_room(lambda: (_ for _ in ()).throw(PermissionError(errno.EACCES, "no")))
    assert len(list_entries(store.root)) == 1


def test_the_manifest_tells_what_it_is(store):
    done = fill(store, 5)
    manifest = json.loads((done / "manifest.json").read_text())
    assert manifest["facts"] == {"n": 5}
    assert manifest["title"] == "number 5"
    assert manifest["files"]["output"]["bytes"] == 1000
    assert list(manifest["seconds"]) == ["a/trials/0"]
    assert {file.name for file in done.iterdir()} == {"manifest.json", "output"}


def test_a_trial_counts_once_however_often_it_comes_back(store):
    for user in ("a", "b", "a", "a"):
        home = fill(store, user=user).parent
    assert read_users(home) == ("a", "b")


def test_the_bound_is_the_stores_own(tmp_path, store):
    assert 0 < store.max_bytes <= 20 * 10**9
    set_max_bytes(store.root, 12345)
    with closing(quick(store.root)) as again:
        assert again.max_bytes == 12345
    set_max_bytes(store.root, None)
    with closing(quick(store.root)) as again:
        assert again.max_bytes > 12345


@pytest.mark.parametrize("content", [b"", b"garbage", b"-5", b"\xff", None])
def test_a_damaged_limit_costs_a_warning_and_no_trial(tmp_path, content, caplog):
    root = tmp_path / "store"
    (root / "max_bytes").parent.mkdir()
    if content is None:
        (root / "max_bytes").mkdir()
    else:
        (root / "max_bytes").write_bytes(content)
    with closing(quick(root)) as store:
        fill(store)
        assert store.max_bytes > 10**6
    assert f"{root / 'max_bytes'}: cannot be read" in caplog.text


def test_what_others_left_in_the_cache_stops_nobody(tmp_path):
    root = tmp_path / "store"
    with closing(quick(root)) as store:
        fill(store, 1)
    (root / "staging").mkdir(exist_ok=True)
    (root / "staging/.nfs0001").write_text("x")
    (root / "staging/work.who").mkdir()
    (root / "encoder/notes").write_text("x")
    odd = root / key(2).name
    (odd / "work.nobody").mkdir(parents=True)
    assert [o.state for o in list_entries(root)].count("broken") == 2
    with closing(quick(root, max_bytes=10)) as store:
        fill(store, 2)
        fill(store, 3)
    assert {o.name for o in list_entries(root)} == {key(2).name, key(3).name}  # still pinned


def age(folder: Path, seconds: float) -> None:
    """As if the entry had last been used so long ago."""
    then = time.time() - seconds
    os.utime(folder.parent / "users", (then, then))
