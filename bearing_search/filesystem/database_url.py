"""URLs of databases: of sqlite files with any name, and whether two URLs name one database.

SQLAlchemy is imported on first use: it takes a fifth of a second.
"""

import getpass
import ipaddress
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from sqlalchemy import URL

_PORTS: Mapping[str, int] = {"postgresql": 5432, "mysql": 3306, "mssql": 1433, "oracle": 1521}
_SAME_BACKEND: Mapping[str, str] = {"postgres": "postgresql", "mariadb": "mysql"}
_THIS_MACHINE = "localhost"


def sqlite_url(file: Path, *, driver: str = "sqlite") -> str:
    """SQLAlchemy URL of a sqlite file, whose path may contain `?`, `#` and `%`."""
    from sqlalchemy import URL

    return URL.create(driver, database=str(file)).render_as_string(hide_password=False)


def sqlite_file(url: str) -> Path | None:
    """The file that a sqlite URL names; None for other databases, servers, and sqlite in memory."""
    parsed = _parsed(url)
    if parsed is None or parsed.get_backend_name() != "sqlite":
        return None
    name = parsed.database or ":memory:"
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    return None if name == ":memory:" else Path(name)


def with_sqlite_file(url: str, file: Path) -> str:
    """A sqlite URL with another file; driver and options are kept."""
    from sqlalchemy import make_url

    return make_url(url).set(database=str(file)).render_as_string(hide_password=False)


def is_database(url: str) -> bool:
    """Whether it is a URL of a database, not of a server such as `http://host:5000`."""
    parsed = _parsed(url)
    if parsed is None:
        return False
    return parsed.get_backend_name() == "sqlite" or _backend(parsed) in _PORTS


def is_same_database(first: str, second: str) -> bool:
    """Whether two SQLAlchemy URLs name the same database, whatever their spelling.

    Compared are a sqlite file's real path, and a server's addresses, port, database and options;
    drivers, users and defaults that are written out make no difference.
    """
    files = sqlite_file(first), sqlite_file(second)
    if files[0] is not None and files[1] is not None:
        if files[0].exists() and files[1].exists():
            return files[0].samefile(files[1])
        return files[0].resolve() == files[1].resolve()
    one, other = _parsed(first), _parsed(second)
    if one is None or other is None or not (is_database(first) and is_database(second)):
        return False
    if _server(one) != _server(other) or "sqlite" in (_backend(one), _backend(other)):
        return False
    return bool(_hosts(one) & _hosts(other))


def _parsed(url: str) -> "URL | None":
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        return None


def _backend(url: "URL") -> str:
    name = url.drivername.partition("+")[0].lower()
    return _SAME_BACKEND.get(name, name)


def _server(url: "URL") -> tuple[str, str, str, str]:
    """Backend, port, database and options, with the defaults that clients take."""
    backend = _backend(url)
    port = url.port or _option(url, "port") or os.environ.get("PGPORT") or _PORTS.get(backend, "")
    user = url.username or _option(url, "user") or os.environ.get("PGUSER") or _current_user()
    database = url.database or _option(url, "dbname") or os.environ.get("PGDATABASE") or user
    return backend, str(port), database, _option(url, "options")


def _hosts(url: "URL") -> set[str]:
    """The server's name and addresses; those of this machine are all `localhost`."""
    name = url.host or _option(url, "host") or os.environ.get("PGHOST") or _THIS_MACHINE
    name = name.lower().rstrip(".")
    if name.startswith("/") or name in (_THIS_MACHINE, socket.gethostname().lower()):
        return {_THIS_MACHINE}
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
    except OSError:
        found = set()
    return {_THIS_MACHINE if _is_loopback(one) else one for one in {name, *found}}


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _option(url: "URL", name: str) -> str:
    value = url.query.get(name, "")
    return value if isinstance(value, str) else ",".join(value)


def _current_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
