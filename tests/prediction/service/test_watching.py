"""A folder that is watched: complete samples, each once, also over kills."""

import json
import shutil
import signal
import time

import pytest

from bearing_search.errors import ConfigError, ResourceError
from bearing_search.prediction.judging import judge_one
from bearing_search.service.journal import Journal
from bearing_search.service.watching import Watch, WatchOptions
from bearing_search.service.worker import Worker


def lines_of(out):
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


@pytest.fixture
def worker(detector):
    worker = Worker(detector, keeps=3)
    yield worker
    worker.close()


class Watching:
    """Looks at tmp_path/in when it is called; its clock stands still meanwhile."""

    def __init__(self, worker, root):
        self.worker, self.folder, self.out = worker, root / "in", root / "out" / "verdicts.jsonl"
        self.now = 1000.0
        self.folder.mkdir()
        self.open()

    def open(self):
        self.journal = Journal(self.out)
        options = WatchOptions(folder=self.folder, out=self.out)
        self.watch = Watch(options, self.worker, self.journal)

    def pass_s(self, seconds):
        self.now += seconds

    def __call__(self, *, starts_anew=False):
        if starts_anew:
            self.journal.close()
            self.open()
        self.watch.look()
        return [(one["sample"], one["verdict"]) for one in lines_of(self.out)]


@pytest.fixture
def watching(worker, tmp_path, monkeypatch):
    found = Watching(worker, tmp_path)
    monkeypatch.setattr("bearing_search.service.watching.time.monotonic", lambda: found.now)
    yield found
    found.journal.close()


def test_a_sample_is_judged_once_it_is_whole_and_still(watching, photograph, tmp_path):
    first = photograph("in/dent", spot=200)
    second = first.with_name("dent_b1.png")
    content = second.read_bytes()
    second.unlink()
    assert watching() == []
    watching.pass_s(5)
    assert watching() == []  # a level is missing
    second.write_bytes(content[:50])
    assert watching() == []
    watching.pass_s(0.9)
    assert watching() == []
    second.write_bytes(content)  # it grew
    watching.pass_s(0.9)
    assert watching() == []
    watching.pass_s(1.1)
    assert watching() == [("dent", "NG")]
    watching.pass_s(5)
    assert watching() == [("dent", "NG")]
    assert watching(starts_anew=True) == [("dent", "NG")]
    # the next part under the same name is another sample
    photograph("in/dent", spot=0)
    (tmp_path / "in" / "dent_b0.png").write_bytes(
        (tmp_path / "in" / "dent_b0.png").read_bytes() + b"\0"
    )
    watching()
    watching.pass_s(2)
    assert watching() == [("dent", "NG"), ("dent", "OK")]


def test_a_level_that_never_comes_is_said(watching, photograph):
    photograph("in/half", levels=1)
    photograph("in/plate/whole")
    watching()
    watching.pass_s(2)
    assert watching() == [("plate/whole", "OK")]
    watching.pass_s(60)
    assert watching() == [("plate/whole", "OK"), ("half", "wrong levels")]


def test_a_bug_on_one_sample_is_a_line_and_the_others_go_on(watching, photograph, monkeypatch):
    photograph("in/a")
    photograph("in/b")

    def fails(detector, one):
        if one.sample.title == "a":
            raise ValueError("of a library")
        return judge_one(detector, one)

    monkeypatch.setattr("bearing_search.service.worker.judge_one", fails)
    watching()
    watching.pass_s(2)
    assert watching() == [("a", "failed"), ("b", "OK")]
    watching.pass_s(2)
    assert watching() == [("a", "failed"), ("b", "OK")]


def test_the_time_of_judging_makes_no_pause(watching, photograph, monkeypatch):
    photograph("in/a")
    watching()
    watching.pass_s(2)

    def takes_long(detector, one):
        watching.pass_s(1000)
        return judge_one(detector, one)

    monkeypatch.setattr("bearing_search.service.worker.judge_one", takes_long)
    assert watching.watch.look() == 0
    assert len(lines_of(watching.out)) == 1


def test_what_changes_while_others_are_judged_waits(watching, photograph, monkeypatch):
    photograph("in/a")
    later = photograph("in/b")
    watching()
    watching.pass_s(2)

    def removes(detector, one):
        later.unlink(missing_ok=True)
        return judge_one(detector, one)

    monkeypatch.setattr("bearing_search.service.worker.judge_one", removes)
    assert watching() == [("a", "OK")]


def test_a_verdict_that_was_not_noted_is_found_at_the_next_start(watching, photograph):
    photograph("in/a")
    watching()
    watching.pass_s(2)
    watching()
    watching.out.with_name("verdicts.jsonl.journal").write_bytes(b"")  # killed between the writes
    with watching.out.open("ab") as stream:
        stream.write(b'{"sample": "b", "verd')  # killed within one
    watching(starts_anew=True)
    watching.pass_s(2)
    assert watching() == [("a", "OK")]
    watching.out.unlink()  # moved away by a rotation
    watching(starts_anew=True)
    watching.pass_s(2)
    assert watching() == []


def test_two_processes_do_not_share_a_journal(tmp_path):
    with (
        Journal(tmp_path / "v.jsonl"),
        pytest.raises(ResourceError, match="another process is writing it"),
    ):
        Journal(tmp_path / "v.jsonl")


def test_a_file_of_somebody_else_is_not_touched(tmp_path):
    (tmp_path / "notes.txt").write_text("without an end of line")
    with pytest.raises(ConfigError, match="is no file of verdicts"):
        Journal(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "without an end of line"
    with pytest.raises(ConfigError, match="is no file of verdicts"):
        Journal(tmp_path)


def test_a_part_that_is_not_known_is_refused(worker, tmp_path):
    options = WatchOptions(folder=tmp_path, out=tmp_path / "v.jsonl", part="gear")
    with Journal(options.out) as journal, pytest.raises(ConfigError, match="part gear"):
        Watch(options, worker, journal)


@pytest.mark.slow
def test_each_sample_once_over_restarts(serving, photograph, eventually, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "verdicts.jsonl"
    folder.mkdir()
    flags = ("--watch", folder, "--out", out)
    with serving(*flags) as client:
        photograph("in/a", spot=200)
        eventually(lambda: len(lines_of(out)) == 1)
        # pictures in the folder and by HTTP go through one detector
        assert client.judge(folder / "a_b0.png", folder / "a_b1.png")[1]["verdict"] == "NG"
        client.process.send_signal(signal.SIGKILL)
        client.process.wait()
    photograph("in/b")
    with serving(*flags) as client:
        eventually(lambda: len(lines_of(out)) == 2)
        photograph("in/c")
        eventually(lambda: len(lines_of(out)) == 3)
        time.sleep(1.5)
        assert client.stop() == (0, "")
    assert [(one["sample"], one["verdict"]) for one in lines_of(out)] == [
        ("a", "NG"),
        ("b", "OK"),
        ("c", "OK"),
    ]
    with serving(*flags) as client:
        shutil.rmtree(folder)
        assert client.process.wait(30) == 3
        assert client.process.stderr.read().count("\n") == 1
