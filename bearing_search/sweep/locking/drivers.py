"""Who drives a sweep: one process alone, or on a PostgreSQL ledger several that take turns.

On PostgreSQL a driver holds an advisory lock for as long as its session with the server lives, and
the server lets go of it when that session ends, however the driver ended. So the lock is the proof
of life: without heartbeats, nobody takes a healthy driver for dead. All decisions are made in
turns, whose lock is held by the same session: who has the turn has not lost its lock either.
"""

import os
import secrets
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from bearing_search.errors import SweepError
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.record.urls import without_password
from bearing_search.sweep.study.storage import is_shareable, sqlalchemy_url, storage_errors

_EXCLUSIVE = 0
"""Second key of the lock of the turn; drivers have positive ones."""

_WHO = """
select l.objid::bigint, a.application_name, date_trunc('second', a.backend_start)
from pg_locks l join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 2 and l.objid <> 0 and l.classid = %s
  and l.database = (select oid from pg_database where datname = current_database())
order by a.backend_start
"""

_SETTINGS = {
    # a host that has gone without a word is found dead after a minute; the default is hours
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


class SingleDriver:
    """The only driver: a file lock keeps others away."""

    is_shared = False
    """Whether others may drive the same sweep."""

    def __init__(self) -> None:
        self.name = secrets.token_hex(6)
        """Of this driver, and of its session."""

        self.seed_offset = 0
        """Keeps its draws apart from those of drivers that were there before; the first has 0."""

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Waits for nobody: there is no other driver."""
        yield

    def peer_names(self) -> Collection[str]:
        """None."""
        return ()

    def end_sessions(self, names: Collection[str]) -> None:
        """There are none."""


class SharedDriver:
    """One of the drivers on a PostgreSQL ledger. Close it to leave.

    Args:
        folder: of the sweep.
        may_join: whether others may be driving already.

    Raises:
        SweepError: somebody drives the sweep, or the server cannot be used.
    """

    is_shared = True

    def __init__(self, folder: SweepFolder, *, may_join: bool) -> None:
        number = 1 + secrets.randbelow(2**31 - 1)
        self.name = str(number)
        self.seed_offset = 0
        self._folder = folder
        self._session = _Session(folder)
        with self.exclusive():
            there = self._session.drivers()
            if there and not may_join:
                self.close()
                raise SweepError(
                    f"{folder.record.name}: held by {'; '.join(there.values())}. `resume --join` "
                    "shares the sweep with it; else stop that one, or wait for its end"
                )
            self.seed_offset = number if there else 0
            self._session.ask("select pg_advisory_lock(%s, %s)", self._session.key, number)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Wait until no other driver decides. Turns may be nested.

        Raises:
            SweepError: the session with the server is lost, and with it this driver's lock.
        """
        self._session.ask("select pg_advisory_lock(%s, %s)", self._session.key, _EXCLUSIVE)
        try:
            yield
        finally:
            if not self._session.is_closed:  # the server ends the turn of who is gone
                self._session.ask(
                    "select pg_advisory_unlock(%s, %s)", self._session.key, _EXCLUSIVE
                )

    def peer_names(self) -> Collection[str]:
        """Names of the other drivers whose locks are held."""
        return set(self._session.drivers()) - {self.name}

    def end_sessions(self, names: Collection[str]) -> None:
        """Remove their sessions, so that workers they may have left save and end."""
        for name in names:
            (self._folder.sessions / f"{name}.json").unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the lock: trials of this driver that are still RUNNING are free."""
        self._session.close()


Drivers = SingleDriver | SharedDriver
"""This process among the drivers of a sweep."""


class _Session:
    """One session with the server. It never connects anew: its locks would be gone unnoticed."""

    def __init__(self, folder: SweepFolder) -> None:
        self._place = without_password(folder.storage_url)
        self.key = int(folder.record.sweep_id[:8], 16) % 2**31
        with storage_errors(folder.storage_url):
            engine = create_engine(sqlalchemy_url(folder.storage_url), poolclass=NullPool)
            self._pooled: Any = engine.raw_connection()
            self._connection = cast(Any, self._pooled.driver_connection)
            self._error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._connection.autocommit = True
        name = f"process {os.getpid()} on {socket.gethostname()}"[:63]
        for setting, value in {**_SETTINGS, "application_name": name}.items():
            self.ask("select set_config(%s, %s, false)", setting, value)

    @property
    def is_closed(self) -> bool:
        """Whether it has ended, here or there."""
        return bool(self._connection.closed)

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows that answer a query."""
        try:
            return list(self._connection.execute(query, values).fetchall())
        except self._error as error:
            reason = str(error).strip().splitlines()[0]
            raise SweepError(
                f"{self._place}: the session that proves this driver alive is lost ({reason}); "
                "another driver may take over its trials. When the server is back: resume"
            ) from error

    def drivers(self) -> dict[str, str]:
        """Names of those who hold a driver's lock, with which process that is."""
        rows = self.ask(_WHO, self.key)
        return {str(key): f"{who}, since {since.isoformat()}" for key, who, since in rows}

    def close(self) -> None:
        self._pooled.close()


def drivers_of(folder: SweepFolder) -> str:
    """Which processes drive a sweep with a PostgreSQL ledger; empty: none.

    Raises:
        SweepError: the server cannot be used.
    """
    session = _Session(folder)
    try:
        return "; ".join(session.drivers().values())
    finally:
        session.close()


def can_be_shared(folder: SweepFolder) -> bool:
    """Whether several drivers may work on a sweep: its ledger is on PostgreSQL."""
    return is_shareable(folder.storage_url)
