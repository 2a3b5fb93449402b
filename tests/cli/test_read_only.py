"""A results folder that cannot be written can be looked at, by a process that modes bind."""

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bearing_search.filesystem.sqlite_copy import readable
from bearing_search.stage_cache.cache import StageCache
from bearing_search.stage_cache.key import StageKey

WITHOUT_POWERS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] * (os.geteuid() == 0)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(WITHOUT_POWERS) and shutil.which("setpriv") is None,
        reason="modes do not bind root, and this machine has no setpriv",
    ),
]


@pytest.fixture
def results(make_sweep):
    folder = make_sweep("one", [1.0, 2.0])
    key = StageKey("features", {"seed": 1})
    with (
        closing(StageCache(folder.cache / "stages")) as cache,
        cache.claim(key, user="one/trials/00000") as entry,
    ):
        cache.finish(entry)
    root = folder.root.parent
    everything = [root, *root.rglob("*")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield root
    for path in everything:
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def look(results, tmp_path):
    def ask(*arguments):
        before = sorted(results.rglob("*"))
        done = subprocess.run(
            [
                *WITHOUT_POWERS,
                *(sys.executable, "-m", "bearing_search", *arguments, "--results", str(results)),
            ],
            capture_output=True,
            text=True,
            env=os.environ | {"TMPDIR": str(tmp_path), "COLUMNS": "200"},
            check=False,
        )
        assert sorted(results.rglob("*")) == before
        assert list(tmp_path.glob("bearing_search-*")) == []
        return done.returncode, done.stdout, done.stderr

    return ask


@pytest.mark.parametrize(
    ("arguments", "shows"),
    [
        (["status"], "one: 2 of 2 trials"),
        (["status", "one", "--json"], '"state": "complete"'),
        (["compare", "one"], "is read-only: nothing written"),
        (["cache", "ls"], "1 stages"),
    ],
)
def test_read_only_results_are_shown(look, arguments, shows):
    status, out, err = look(*arguments)
    assert status == 0
    assert shows in (err if "nothing written" in shows else out)
    assert len(err.splitlines()) == ("nothing written" in shows)


@pytest.mark.parametrize(
    ("file", "arguments", "code", "says"),
    [
        ("one/sweep.json", ["status"], 6, "sweep.json: cannot be read"),
        ("one/ledger.db", ["status"], 6, "ledger.db: cannot be read (Permission denied)"),
        ("one/trials/00000/config.json", ["compare", "one"], 0, "a trial is left out"),
        ("one/trials/00000/LC/fold0/scored.npz", ["compare", "one"], 0, "Permission denied"),
    ],
)
def test_a_file_of_mode_000_is_named_in_one_line(results, look, file, arguments, code, says):
    (results / file).chmod(0)
    status, out, err = look(*arguments)
    assert status == code
    (line,) = [one for one in err.splitlines() if not one.endswith("read-only: nothing written")]
    assert says in line
    assert ("left out" in out) is (code == 0)


def test_what_is_only_in_the_write_ahead_log_is_read_too(tmp_path, monkeypatch):
    import sqlite3

    file = tmp_path / "x.db"
    with closing(sqlite3.connect(file)) as base:
        base.execute("pragma journal_mode=wal")
        base.execute("create table t (a int)")
        base.commit()
        monkeypatch.setattr("bearing_search.filesystem.sqlite_copy.is_writable", lambda _: False)
        with readable(file) as copy, closing(sqlite3.connect(copy)) as other:
            assert copy != file
            assert other.execute("select name from sqlite_master").fetchall() == [("t",)]
    assert not Path(copy).exists()
