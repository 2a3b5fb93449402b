"""No password of a URL is ever shown, in whatever form it is written."""

import logging
import sys
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import URL, make_url

from bearing_search.errors import SweepError
from bearing_search.sweep.worker.process import error_summary
from bearing_search.text.passwords import (
    MaskingFormatter,
    has_password,
    masked,
    print_masked_traceback,
    without_password,
)

HUSH = "HUSH"
SCHEMES = ["postgresql", "postgresql+psycopg", "mysql", "http", "https", "s3", "zip::s3", "made-up"]
SPECIAL = st.text("@/:?#&=%+;,.[]!'\"é a1", max_size=6)
PASSWORDS = st.builds(lambda before, after: f"{before}{HUSH}{after}", SPECIAL, SPECIAL)
USERS = st.text("ab1-_.@+%", max_size=4)
NAMES = st.sampled_from(
    [
        *("password", "PASSWORD", "sslpassword", "passwd", "pwd", "db_pass", "token", "key"),
        *("access_token", "api_key", "apikey", "AWSAccessKeyId", "X-Amz-Signature", "sig"),
        *("X-Amz-Security-Token", "client-secret", "private_key", "pass%77ord"),
    ]
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:pw@host/db", "postgresql://me:...@host/db"),
        ("postgresql://me:p@w@host/db", "postgresql://me:...@host/db"),
        ("postgresql://me:p/w@host/db", "postgresql://me:...@host/db"),
        ("postgresql://:7pw@host:5432/db", "postgresql://:...@host:5432/db"),
        ("postgresql://h/d?user=me&password=pw&a=b", "postgresql://h/d?user=me&password=...&a=b"),
        ("mssql:///?odbc_connect=UID%3Dme%3BPWD%3Dpw", "mssql:///?odbc_connect=..."),
        ("mlflow-artifacts://me:pw@host", "mlflow-artifacts://...@host"),
        ("https://token@host/x", "https://...@host/x"),
        ("http://u%3Apw@host", "http://...@host"),
        ("http://host/#access_token=pw", "http://host/#access_token=..."),
        ("https://host/?to=http://a:b@c", "https://host/?to=..."),
        ("https://blob/x?sv=1&sig=a%3D&se=2", "https://blob/x?sv=1&sig=...&se=2"),
        ("simplecache::s3://key:secret@bucket/x", "simplecache::s3://...@bucket/x"),
        ("zip://a.zip::s3://key:secret@bucket/x", "zip://a.zip::s3://...@bucket/x"),
        ("me:pw@host/db", "...@host/db"),
    ],
)
def test_a_password_is_not_shown(url, shown):
    assert without_password(url) == shown
    assert has_password(url)


@pytest.mark.parametrize(
    "url",
    [
        *("sqlite:////r/l.db", "sqlite:////r/a:b@c.db", "file:///a:b@c", "databricks", ""),
        *("http://host:5000", "http://host/a@b", "http://[::1]:5000", "/a/b:c@d", "ray://h:10001"),
        *("postgresql://me@host:5432/db", "postgresql:///db?host=a:1&host=b:2"),
        *("abfs://container@account.dfs.core.windows.net/x", "gs://anonymous@bucket/x"),
        *("s3://bucket/a@b", "s3://bucket?region=a", "postgresql://host/db?sslkey=/a/k"),
        "zip://a.zip::s3://bucket/x",
    ],
)
def test_what_holds_no_password_is_shown_as_it_is(url):
    assert without_password(url) == url
    assert masked(f"see {url} there") == f"see {url} there"


@given(st.sampled_from(SCHEMES), USERS, PASSWORDS)
@example("postgresql", "me", f"a::b://{HUSH}")
@example("postgresql", "me", f"{HUSH}://x")
def test_a_password_before_the_host_is_found_however_it_is_written(scheme, user, password):
    for written in (password, quote(password), quote(password, safe="")):
        url = f"{scheme}://{user}:{written}@host:5432/db?a=b"
        assert has_password(url)
        assert HUSH not in without_password(url)
        if " " not in url:
            assert HUSH not in masked(f"cannot connect to {url}: refused")


@given(st.sampled_from(SCHEMES), NAMES, PASSWORDS)
def test_a_password_among_the_parameters_is_found(scheme, name, password):
    for written in (password.replace("&", ""), quote(password, safe="")):
        for url in (f"{scheme}://me/db?a=b&{name}={written}&c=d", f"{scheme}://h#{name}={written}"):
            assert has_password(url)
            assert HUSH not in without_password(url)


@given(st.text("abH:/@?#=&%[].+1", max_size=24))
def test_what_sqlalchemy_or_urllib_read_as_a_password_is_found(rest):
    url = f"postgresql://{rest}"
    found = []
    for reader in (make_url, urlsplit):
        try:
            found.append(reader(url).password)
        except ValueError:
            continue
    assert has_password(url) or not any(found)


@given(PASSWORDS)
def test_a_url_that_sqlalchemy_makes_is_masked(password):
    url = URL.create("postgresql", "me", password, "host", 5432, "db")

    shown = without_password(url.render_as_string(hide_password=False))
    assert shown == "postgresql://me:...@host:5432/db"


def test_errors_and_logs_of_any_library_are_masked(capsys):
    text = f"no reply from postgresql://me:{HUSH}@host/db (password='{HUSH}')"
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "lost %s", (text,), None)

    assert str(SweepError(text)) == "no reply from postgresql://me:...@host/db (password=...)"
    assert HUSH not in MaskingFormatter("%(message)s").format(record)
    assert HUSH not in error_summary(ValueError(text))
    try:
        raise ValueError(text)
    except ValueError:
        print_masked_traceback(*sys.exc_info())
    shown = capsys.readouterr().err
    assert HUSH not in shown
    assert "ValueError: no reply from" in shown
