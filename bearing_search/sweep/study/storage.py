"""Opens the ledger's database so that readers do not lock it, and explains its errors."""

import re
import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import optuna
import sqlalchemy
from sqlalchemy.exc import SQLAlchemyError

from bearing_search.errors import ConfigError, ResourceError, SweepError
from bearing_search.filesystem.database_url import sqlite_file
from bearing_search.filesystem.disk_full import disk_full_error, is_disk_full
from bearing_search.sweep.study._vendor import is_schema_error, storage_at, storage_to_read
from bearing_search.text.passwords import without_password

LOCK_WAIT_S = 60
"""Seconds that a statement waits for another process to release the sqlite file."""

CONNECT_S = 10
"""Seconds after which a PostgreSQL server that does not answer counts as unreachable."""

_DAMAGE = ("malformed", "not a database", "disk I/O error")


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Convert database errors into errors with a one-line explanation.

    Raises:
        ResourceError: the Python driver of the database is missing, or its disk is full.
        SweepError: the database cannot be reached or read, or was made by another Optuna.
    """
    place = without_password(url)
    try:
        yield
    except ImportError:
        raise ResourceError(
            f"{place}: the Python driver of this database is not installed; for PostgreSQL: "
            "pip install 'bearing_search[postgres]'"
        ) from None
    except RuntimeError as error:
        if not is_schema_error(error):
            raise
        text = " ".join(str(error).replace("no longer compatible", "not compatible").split())
        raise SweepError(f"{place}: the ledger cannot be used: {text}") from error
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
    file = sqlite_file(url)
    if file is not None and not read_only:
        with closing(sqlite3.connect(file, timeout=LOCK_WAIT_S)) as base:
            base.execute("pragma journal_mode=wal")
    options = engine_options(url)
    url = sqlalchemy_url(url)
    if read_only:
        return storage_to_read(url, options)
    return storage_at(url, options)


def engine_options(url: str) -> dict[str, Any]:
    """Options of SQLAlchemy's engine for a ledger."""
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": LOCK_WAIT_S}}
    options: dict[str, Any] = {"pool_pre_ping": True}
    if is_shareable(url) and "connect_timeout" not in url:
        options["connect_args"] = {"connect_timeout": CONNECT_S}
    return options


def check_ledger(url: str) -> None:
    """Refuse the database of a new ledger if it cannot be used; writes nothing.

    Raises:
        ConfigError: it is a sqlite database in memory.
        ResourceError: the Python driver of the database is missing.
        SweepError: it cannot be reached or read, was made by another Optuna, or is MLflow's.
    """
    file = sqlite_file(url)
    if file is not None and not file.exists():
        if not file.parent.is_dir():
            raise SweepError(f"{file}: cannot be created, since {file.parent} is not a folder")
        return
    if file is None and url.startswith("sqlite"):
        raise ConfigError(f"{url}: names no file, so the study would be lost with the process")
    with storage_errors(url):
        engine = sqlalchemy.create_engine(sqlalchemy_url(url), **engine_options(url))
        try:
            tables = sqlalchemy.inspect(engine).get_table_names()
        finally:
            engine.dispose()
        if "latest_metrics" in tables:
            raise SweepError(
                f"{without_password(url)}: is MLflow's database, and both keep tables of the same "
                "names; give the study a database of its own"
            )
        if "version_info" in tables:
            open_storage(url, read_only=True).engine.dispose()


def delete_study(url: str, name: str) -> None:
    """Delete a study, if there is one.

    Raises:
        ResourceError, SweepError: see `storage_errors`.
    """
    with storage_errors(url), suppress(KeyError):
        storage = open_storage(url, read_only=True)
        try:
            optuna.delete_study(study_name=name, storage=storage)
        finally:
            storage.engine.dispose()
