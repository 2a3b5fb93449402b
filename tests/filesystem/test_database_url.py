"""URLs of databases: any path, and one database by whatever spelling."""

import os
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy

from bearing_search.filesystem.database_url import (
    is_database,
    is_same_database,
    sqlite_file,
    sqlite_url,
)


@pytest.mark.parametrize(
    "name", ["plain", "a?b", "a#b", "a%20b", "a b", "a;b", "a&c=d", "링", "a@b:c", "a{b}{"]
)
@pytest.mark.parametrize("driver", ["sqlite", "sqlite+pysqlite"])
def test_a_file_of_any_name_is_opened_and_no_other(tmp_path, name, driver):
    folder = tmp_path / name
    folder.mkdir()
    url = sqlite_url(folder / "x.db", driver=driver)
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create table t (a int)"))
    engine.dispose()

    assert sqlite_file(url) == folder / "x.db"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [folder / "x.db"]
    with sqlite3.connect(folder / "x.db") as base:
        assert base.execute("select name from sqlite_master").fetchall() == [("t",)]
    base.close()


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "postgresql://h/d", "http://h:5000", "", "no url", "x:y"],
)
def test_what_is_no_sqlite_file_has_no_path(url):
    assert sqlite_file(url) is None


def test_a_uri_filename_is_the_file_it_names():
    assert sqlite_file("sqlite:///file:/r/a%2520b.db?mode=ro&uri=true") == Path("/r/a b.db")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:////r/x.db", True),
        ("postgresql+psycopg://h/d", True),
        ("mysql://h/d", True),
        ("http://h:5000", False),
        ("https://h", False),
        ("databricks", False),
    ],
)
def test_a_database_is_told_from_a_server(url, says):
    assert is_database(url) is says


_SAME = [
    ("sqlite:////r/x.db", "sqlite:////r/y/../x.db"),
    ("sqlite:////r/x.db", "sqlite+pysqlite:////r/x.db"),
    ("sqlite:////r/x.db", "sqlite:////r/x.db?timeout=5"),
    ("sqlite:////r/x.db", "sqlite:///file:/r/x.db?uri=true"),
    ("postgresql://h.invalid/d", "postgres://h.invalid/d"),
    ("postgresql://h.invalid/d", "postgresql+psycopg2://h.invalid:5432/d"),
    ("postgresql://h.invalid/d", "postgresql://someone@H.invalid./d"),
    ("postgresql://h.invalid/d", "postgresql://h.invalid/d?connect_timeout=5"),
    ("postgresql://localhost/d", "postgresql://127.0.0.1/d"),
    ("postgresql://localhost/d", "postgresql://[::1]:5432/d"),
    ("postgresql://localhost/d", "postgresql:///d"),
    ("postgresql://localhost/d", "postgresql:///d?host=/var/run/postgresql"),
    ("postgresql://u@localhost", "postgresql://u@localhost/u"),
    ("postgresql://10.1.2.3/d", "postgresql:///d?host=10.1.2.3&port=5432"),
    ("mysql://h.invalid/d", "mariadb+pymysql://h.invalid:3306/d"),
]
_OTHER = [
    ("sqlite:////r/x.db", "sqlite:////r/y.db"),
    ("sqlite:////r/x.db", "http://localhost:5000"),
    ("http://localhost:5000", "http://localhost:5000"),  # no database that a ledger could be in
    ("postgresql://h.invalid/d", "postgresql://h.invalid/e"),
    ("postgresql://h.invalid/d", "postgresql://i.invalid/d"),
    ("postgresql://h.invalid/d", "postgresql://h.invalid:5433/d"),
    ("postgresql://h.invalid/d", "mysql://h.invalid:5432/d"),
    ("postgresql://h.invalid/d", "postgresql://h.invalid/d?options=-csearch_path%3Dml"),
    ("postgresql://h.invalid/d", "no url"),
]


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [(*pair, True) for pair in _SAME] + [(*pair, False) for pair in _OTHER],
)
def test_one_database_is_recognised_by_any_spelling(first, second, is_same, monkeypatch):
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE"):
        monkeypatch.delenv(name, raising=False)
    assert is_same_database(first, second) is is_same
    assert is_same_database(second, first) is is_same


def test_a_link_and_a_relative_path_name_the_same_file(tmp_path, monkeypatch):
    (tmp_path / "x.db").touch()
    (tmp_path / "link.db").symlink_to("x.db")
    os.link(tmp_path / "x.db", tmp_path / "hard.db")
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///x.db", "sqlite:///link.db", sqlite_url(tmp_path / "hard.db")):
        assert is_same_database(url, sqlite_url(tmp_path / "x.db"))
