"""Opens the ledger's database so that readers do not lock it, and explains its errors."""

import re
import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import optuna
from sqlalchemy.exc import SQLAlchemyError

from bearing_search.errors import ResourceError, SweepError
from bearing_search.filesystem.disk_full import disk_full_error, is_disk_full
from bearing_search.sweep.study._vendor import storage_to_read
from bearing_search.text.passwords import without_password

LOCK_WAIT_S = 60
"""Seconds that a statement waits for another process to release the sqlite file."""

_DAMAGE = ("malformed", "not a database", "disk I/O error")


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Convert database errors into errors with a one-line explanation.

    Raises:
        ResourceError: the Python driver of the database is missing, or its disk is full.
        SweepError: the database cannot be reached or read.
    """
    place = without_password(url)
    try:
        yield
    except ImportError:
        raise ResourceError(
            f"{place}: the Python driver of this database is not installed; for PostgreSQL: "
            "pip install 'bearing_search[postgres]'"
        ) from None
    except (SQLAlchemyError, sqlite3.Error, optuna.exceptions.StorageInternalError) as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        if is_disk_full(cause):
            raise disk_full_error(cause, place) from error
        text = (traceback.format_exception_only(cause)[-1]).strip().splitlines()[0]
        hint = (
            "another program has locked it (optuna-dashboard?); close it and resume"
            if "locked" in text
            else "the file is damaged; restore a backup, or start a new sweep"
            if any(sign in text for sign in _DAMAGE)
            else "is it reachable, and an Optuna database?"
        )
        raise SweepError(f"{place}: the ledger cannot be used ({text}); {hint}") from error


def is_shareable(url: str) -> bool:
    """Whether several drivers can share a ledger: only PostgreSQL can tell which are alive."""
    return sqlalchemy_url(url).startswith("postgresql+psycopg://")


def sqlalchemy_url(url: str) -> str:
    """The SQLAlchemy URL, with psycopg as the driver if a PostgreSQL URL names none."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)


def open_storage(url: str, *, read_only: bool = False) -> optuna.storages.RDBStorage:
    """Open a ledger's database; sqlite is switched to WAL mode, so that readers do not lock it.

    Args:
        url: SQLAlchemy URL.
        read_only: whether to create no tables and leave the mode as it is.
    """
    if url.startswith("sqlite:///") and not read_only:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=LOCK_WAIT_S)) as base:
            base.execute("pragma journal_mode=wal")
    options: dict[str, Any] = (
        {"connect_args": {"timeout": LOCK_WAIT_S}}
        if url.startswith("sqlite")
        else {"pool_pre_ping": True}
    )
    url = sqlalchemy_url(url)
    if read_only:
        return storage_to_read(url, options)
    return optuna.storages.RDBStorage(url, engine_kwargs=options)
