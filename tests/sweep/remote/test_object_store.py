"""Folders at a URL, and trials on machines that do not see the sweep's folder."""

import hashlib
import json
import time

import pytest

from bearing_search.config import TrialConfig, to_plain
from bearing_search.errors import ConfigError, ResourceError
from bearing_search.measurement import OBJECTIVE, Measurement
from bearing_search.sweep.driver.session import StopRequest
from bearing_search.sweep.remote import worker_sync
from bearing_search.sweep.remote.driver_sync import StoreSync
from bearing_search.sweep.remote.object_store import FolderStore
from bearing_search.sweep.remote.worker_sync import StoreAddress
from bearing_search.sweep.worker.context import StopFlag, WorkerContext
from bearing_search.sweep.worker.process import run_payload

PAYLOAD = {"number": 0, "config": json.dumps(to_plain(TrialConfig()))}
TRIAL = "trials/00000"


@pytest.fixture(params=["file", "memory"])
def url(request, tmp_path):
    """One that pyarrow knows, and one that fsspec alone knows."""
    place = tmp_path / "depot"
    place.mkdir()
    return place.as_uri() if request.param == "file" else f"memory://{place}"


@pytest.fixture
def depot(url):
    return FolderStore(url, "one")


def test_texts_are_kept_listed_and_forgotten(depot):
    depot.check()
    assert depot.read("a/b") is None
    assert depot.names("a") == set()
    depot.write("a/b", "first")
    depot.write("a/b", "second")
    assert depot.read("a/b") == "second"
    assert depot.existing({"a/b", "a/c"}) == {"a/b"}
    assert depot.names("a") == {"a/b"}
    depot.remove("a/b")
    depot.remove("a/b")
    assert depot.existing({"a/b"}) == set()


def test_a_folder_comes_back_as_it_was_at_the_last_push(depot, url, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "deep").mkdir(parents=True)
    (here / "deep" / "weights").write_bytes(bytes(range(256)) * 9000)
    (here / "state").write_text("1")
    (here / "lock").touch()
    assert not depot.pull(TRIAL, there)
    depot.push(here, TRIAL, but={"lock"})
    (here / "state").write_text("22")
    (here / "more").write_text("x")
    depot.push(here, TRIAL, but={"lock"})

    assert FolderStore(url, "one").pull(TRIAL, there)
    names = {file.relative_to(there).as_posix() for file in there.rglob("*") if file.is_file()}
    assert names == {"deep/weights", "more", "state"}
    assert (there / "deep/weights").read_bytes() == (here / "deep/weights").read_bytes()
    assert (there / "state").read_text() == "22"
    # of the older version nothing is left but what the newer one shares with it
    assert len(depot.names(f"{TRIAL}/blobs")) == 3


def test_unchanged_files_are_not_sent_again(depot, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (here / "big").write_text("x")
    (here / "small").write_text("y")
    sent, sha256 = [], hashlib.sha256

    def counted():  # the digest of a file is taken while it is sent
        sent.append(1)
        return sha256()

    monkeypatch.setattr(hashlib, "sha256", counted)
    depot.push(here, TRIAL)
    assert len(sent) == 2
    depot.push(here, TRIAL)
    assert len(sent) == 2
    (here / "small").write_text("yy")
    depot.push(here, TRIAL)
    assert len(sent) == 3


def test_a_version_that_vanishes_while_it_is_read_is_read_anew(depot, url, tmp_path, monkeypatch):
    monkeypatch.setattr("bearing_search.sweep.remote.object_store._PAUSE_S", 0.0)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    (here / "state").write_text("old")
    depot.push(here, TRIAL)
    reader = FolderStore(url, "one")
    receive = reader._receive

    def slow(*arguments):
        if (here / "state").read_text() == "old":
            (here / "state").write_text("newer")
            depot.push(here, TRIAL)
        receive(*arguments)

    monkeypatch.setattr(reader, "_receive", slow)
    assert reader.pull(TRIAL, there)
    assert (there / "state").read_text() == "newer"


def test_damage_and_paths_that_lead_out_are_refused(depot, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "state").write_text("old")
    depot.push(tmp_path / "here", TRIAL)
    (blob,) = depot.names(f"{TRIAL}/blobs")
    depot.write(blob, "other")
    with pytest.raises(ResourceError, match="is damaged"):
        depot.pull(TRIAL, tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []
    for path in ("../state", "/state", ""):
        depot.write(f"{TRIAL}/files.json", json.dumps({path: "0" * 64}))
        with pytest.raises(ResourceError, match="points outside the folder"):
            depot.pull(TRIAL, tmp_path / "there")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        *((url, "is not a URL") for url in ("some/folder", "http:", "http://", "://x", "file://")),
        ("nosuch://bucket", "nosuch"),
        ("s3://key:secret@bucket/folder", "password"),
    ],
)
def test_what_is_no_depot_is_refused_in_one_line(url, told):
    with pytest.raises(ConfigError, match=told) as caught:
        FolderStore(url)
    assert "secret" not in str(caught.value)


def test_a_depot_that_cannot_be_written_is_refused_in_one_line(tmp_path):
    with pytest.raises(ResourceError, match="cannot be used as a depot"):
        FolderStore("http://127.0.0.1:9/folder").check()
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="cannot be used as a depot"):
        FolderStore((tmp_path / "file" / "below").as_uri()).check()


@pytest.fixture
def office(new_sweep, url, monkeypatch, tmp_path):
    """A sweep whose workers see nothing but the depot."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "node"))
    (tmp_path / "node").mkdir()
    monkeypatch.setattr("bearing_search.sweep.remote.driver_sync.POLL_EVERY_S", 0.0)
    monkeypatch.setattr("bearing_search.sweep.remote.worker_sync.ASK_EVERY_S", 0.0)
    monkeypatch.setattr(worker_sync, "LEAST_PAUSE_S", 0.0)
    monkeypatch.setattr(worker_sync, "SHARE", 1e9)
    folder = new_sweep()
    folder.sessions.mkdir()
    (folder.sessions / "s1.json").touch()
    address = StoreAddress(url, folder.study_name)
    worker_context = WorkerContext(
        root=tmp_path / "nowhere",
        session="s1",
        data=tmp_path,
        cache=tmp_path / "nowhere",
        threads=1,
        gpus=0.0,
        shares_stages=True,
        depot=address,
    )
    return folder, StoreSync(folder, address.open()), worker_context


def counting(config, context):
    """Three steps, each kept in the folder; where it is, and what it may share."""
    file = context.folder / "deep" / "steps"
    file.parent.mkdir(exist_ok=True)
    for step in range(1, 4):
        if context.should_stop():
            return
        done = file.read_text().split() if file.exists() else []
        if str(step) not in done:
            file.write_text(" ".join([*done, str(step)]))
        yield Measurement(step=step, values={OBJECTIVE: 0.5} if step == 3 else {})


def test_a_trial_runs_without_the_sweeps_folder_and_comes_home(office, tmp_path):
    folder, driver_sync, worker_context = office
    seen = []

    def trial(config, context):
        seen.append(context)
        yield from counting(config, context)

    driver_sync.on_start(0)
    run_payload(PAYLOAD, worker_context, trial, lambda message: None)
    driver_sync.pull(0)

    assert (folder.trial_folder(0) / "deep" / "steps").read_text() == "1 2 3"
    assert not seen[0].shares_stages
    assert seen[0].folder.is_relative_to(tmp_path / "node")
    assert not (tmp_path / "nowhere").exists()
    assert [file.name for file in seen[0].folder.iterdir()] == ["lock"]
    assert worker_context.incompatibility() == ""


def test_a_trial_goes_on_elsewhere_from_its_last_saved_state(office, tmp_path, monkeypatch):
    _, driver_sync, worker_context = office
    driver_sync.on_start(0)

    class CutOffError(BaseException):
        """Its machine is gone: nothing more is sent."""

    def report(message):
        if json.loads(message["measurement"])["step"] == 2:
            monkeypatch.setattr(worker_sync.RemoteFolder, "push", lambda *_: None)
            raise CutOffError

    with pytest.raises(CutOffError):
        run_payload(PAYLOAD, worker_context, counting, report)
    monkeypatch.undo()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "other"))
    (tmp_path / "other").mkdir()
    found = []

    def trial(config, context):
        found.append((context.folder / "deep" / "steps").read_text())
        yield from counting(config, context)

    run_payload(PAYLOAD, worker_context, trial, lambda message: None)
    assert found == ["1 2"]


def test_the_drivers_marks_reach_the_worker(office):
    folder, driver_sync, worker_context = office

    def is_stopped(number):
        driver_sync.poll()
        folder_sync = worker_context.folder_sync(number)
        folder_sync._depot.write(folder_sync._owner, folder_sync._token)
        return StopFlag(folder_sync)()

    for number in range(2):
        folder.trial_folder(number).mkdir()
        driver_sync.on_start(number)
    assert not is_stopped(0)
    (folder.trial_folder(0) / "STOP").touch()
    assert is_stopped(0)
    assert not is_stopped(1)
    folder.stop_file.touch()
    assert is_stopped(1)
    StopRequest(folder)  # the next session takes STOP back
    assert not is_stopped(1)
    (folder.trial_folder(0) / "STOP").unlink()
    driver_sync.on_start(0)
    assert not is_stopped(0)
    (folder.sessions / "s1.json").unlink()
    assert is_stopped(1)


def test_a_worker_whose_trial_has_moved_on_sends_nothing(office, tmp_path):
    _, driver_sync, worker_context = office
    driver_sync.on_start(0)
    old, new = worker_context.folder_sync(0), worker_context.folder_sync(0)
    here = tmp_path / "here"
    here.mkdir()
    old.pull(here)
    new.pull(here)
    (here / "state").write_text("of the new one")
    new.push(here)
    assert old.is_stop_requested()
    assert not new.is_stop_requested()
    (here / "state").write_text("of the old one")
    old.push(here)
    new.pull(here)
    assert (here / "state").read_text() == "of the new one"


def test_a_depot_that_is_away_for_a_while_ends_nothing(office, monkeypatch, caplog):
    folder, driver_sync, worker_context = office
    folder_sync = worker_context.folder_sync(0)

    def away(*_):
        raise OSError("no route to host")

    for depot in (driver_sync._depot, folder_sync._depot):
        monkeypatch.setattr(depot, "existing", away)
        monkeypatch.setattr(depot, "write", away)
        monkeypatch.setattr(depot, "pull", away)
    folder.stop_file.touch()
    for _ in range(3):
        driver_sync.poll()
    assert caplog.text.count("cannot be reached: no route to host") == 1
    assert not folder_sync.is_stop_requested()
    with pytest.raises(ResourceError, match=r"trial 0 cannot be fetched.*run `resume` to continue"):
        driver_sync.pull(0)


def test_sending_takes_a_small_share_of_the_time(office, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_sync, "SHARE", 0.05)
    folder_sync = office[2].folder_sync(0)
    clock, sent = [0.0], []

    def push(folder):
        sent.append(clock[0])
        clock[0] += 3.0

    monkeypatch.setattr(folder_sync, "push", push)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    for _ in range(200):
        folder_sync.save(tmp_path)
        clock[0] += 1.0
    assert sent == [0.0, 60.0, 120.0, 180.0]
