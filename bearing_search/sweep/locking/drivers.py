"""The drivers of a sweep: a single process, or several that take turns on a PostgreSQL ledger.

On PostgreSQL a driver holds an advisory lock while its database session lives, and the server
releases the lock when that session ends, however the driver ended. So the lock proves that the
driver is alive; without heartbeats, a healthy driver is never mistaken for a dead one. All
decisions are made in turns, whose lock belongs to the same session: a driver in its turn still has
its driver's lock.
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
from bearing_search.sweep.study.storage import (
    engine_options,
    is_shareable,
    sqlalchemy_url,
    storage_errors,
)
from bearing_search.text.passwords import without_password

_EXCLUSIVE = 0
"""Second key of the turn's advisory lock; those of drivers are positive."""

_WHO = """
select l.objid::bigint, a.application_name, date_trunc('second', a.backend_start)
from pg_locks l join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 2 and l.objid <> 0 and l.classid = %s
  and l.database = (select oid from pg_database where datname = current_database())
order by a.backend_start
"""

_SETTINGS = {
    # a host that vanishes from the network is detected after a minute; the default is hours
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


class SingleDriver:
    """The only driver: a file lock excludes others."""

    is_shared = False
    """Whether others may drive the same sweep."""

    def __init__(self) -> None:
        self.name = secrets.token_hex(6)
        """Name of this driver and of its session."""

        self.seed_offset = 0
        """Makes its draws differ from those of earlier drivers; 0 for the first one."""

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Enter at once: there is no other driver."""
        yield

    def peer_names(self) -> Collection[str]:
        """Return no names: there is no other driver."""
        return ()

    def end_sessions(self, names: Collection[str]) -> None:
        """Do nothing: there is no other session."""


class SharedDriver:
    """One of several drivers on a PostgreSQL ledger. Close it to leave the sweep.

    Args:
        folder: folder of the sweep.
        may_join: whether other drivers may be active already.

    Raises:
        SweepError: another driver is active and `may_join` is false, or the server cannot be used.
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
                    f"{folder.record.name}: held by {'; '.join(there.values())}. Share the sweep "
                    "with `resume --join`, stop that process, or wait until it ends"
                )
            self.seed_offset = number if there else 0
            self._session.ask("select pg_advisory_lock(%s, %s)", self._session.key, number)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Wait for this driver's turn, in which no other one decides. Turns may be nested.

        Raises:
            SweepError: the database session is lost, and with it this driver's lock.
        """
        self._session.ask("select pg_advisory_lock(%s, %s)", self._session.key, _EXCLUSIVE)
        try:
            yield
        finally:
            if not self._session.is_closed:  # a closed session has lost its turn
                self._session.ask(
                    "select pg_advisory_unlock(%s, %s)", self._session.key, _EXCLUSIVE
                )

    def peer_names(self) -> Collection[str]:
        """Names of the other drivers whose locks are held."""
        return set(self._session.drivers()) - {self.name}

    def end_sessions(self, names: Collection[str]) -> None:
        """Remove these drivers' sessions, so that any workers they left behind save and end."""
        for name in names:
            (self._folder.sessions / f"{name}.json").unlink(missing_ok=True)

    def close(self) -> None:
        """Release the lock: other drivers may take over this driver's RUNNING trials."""
        self._session.close()


Drivers = SingleDriver | SharedDriver
"""This process among the drivers of a sweep."""


class _Session:
    """One database session. It never reconnects, which would lose its locks unnoticed."""

    def __init__(self, folder: SweepFolder) -> None:
        self._place = without_password(folder.storage_url)
        self.key = int(folder.record.sweep_id[:8], 16) % 2**31
        with storage_errors(folder.storage_url):
            options = engine_options(folder.storage_url) | {"poolclass": NullPool}
            engine = create_engine(sqlalchemy_url(folder.storage_url), **options)
            self._pooled = engine.connect()
            self._connection = cast(Any, self._pooled.connection.driver_connection)
            self._error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._connection.autocommit = True
        name = f"process {os.getpid()} on {socket.gethostname()}"[:63]
        for setting, value in {**_SETTINGS, "application_name": name}.items():
            self.ask("select set_config(%s, %s, false)", setting, value)

    @property
    def is_closed(self) -> bool:
        """Whether the session has been closed, by this process or the server."""
        return bool(self._connection.closed)

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The result rows of a query."""
        try:
            return list(self._connection.execute(query, values).fetchall())
        except self._error as error:
            reason = str(error).strip().splitlines()[0]
            raise SweepError(
                f"{self._place}: lost the database session that holds this driver's lock "
                f"({reason}); another driver may take over its trials. Run `resume` when the "
                "server is back"
            ) from error

    def drivers(self) -> dict[str, str]:
        """Driver name -> description of its process, for all drivers that hold a lock."""
        rows = self.ask(_WHO, self.key)
        return {str(key): f"{who}, since {since.isoformat()}" for key, who, since in rows}

    def close(self) -> None:
        self._pooled.close()


def drivers_of(folder: SweepFolder) -> str:
    """Description of the processes that drive a sweep on a PostgreSQL ledger; empty: none.

    Raises:
        SweepError: the server cannot be used.
    """
    session = _Session(folder)
    try:
        return "; ".join(session.drivers().values())
    finally:
        session.close()


def can_be_shared(folder: SweepFolder) -> bool:
    """Whether several drivers may share a sweep, which takes a PostgreSQL ledger."""
    return is_shareable(folder.storage_url)
