"""Compares the schema of MLflow's database with the installed MLflow, before MLflow opens it.

A newer MLflow migrates a database without asking when it has new tables, and an older one cannot
read it any more.
"""

import logging
import shutil
import sqlite3
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from bearing_search.errors import ResourceError
from bearing_search.filesystem.database_url import is_database, sqlite_file
from bearing_search.tracking._vendor import known_schemas, upgrade_database
from bearing_search.tracking.tags import MLFLOW_VERSION_TAG

_log = logging.getLogger(__name__)


def check_schema(url: str) -> None:
    """Refuse a database by a newer MLflow or Optuna; migrate a sqlite file by an older MLflow.

    A sqlite file is copied before it is migrated, and a line says so.

    Args:
        url: of a database that exists; servers check themselves.

    Raises:
        ResourceError: the database is another program's or a newer MLflow's, or it is on a server
            and has to be migrated.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be read.
    """
    if not is_database(url):
        return
    schema, written_by = _schema_of(url)
    if schema is None:
        return
    known, installed = known_schemas(), version("mlflow")
    if schema == known[0]:
        return
    if schema not in known:
        raise ResourceError(
            f"MLflow cannot be used at {_place(url)}: its database was written by a newer MLflow "
            f"({written_by or f'schema {schema}'}) than the installed one ({installed}, schema "
            f"{known[0]}). Install that version, or choose another --results folder"
        )
    file = sqlite_file(url)
    if file is None:
        raise ResourceError(
            f"MLflow cannot be used at {_place(url)}: its database was written by an older MLflow "
            f"({written_by or f'schema {schema}'}) than the installed one ({installed}). Make a "
            "backup, then run `mlflow db upgrade` on it"
        )
    backup = file.with_name(f"{file.name}.before-mlflow-{installed}")
    _copy(file, backup)
    _log.warning(
        "%s was written by an older MLflow (%s); it is migrated to %s, a copy is %s",
        file,
        written_by or f"schema {schema}",
        installed,
        backup,
    )
    upgrade_database(url)


def _schema_of(url: str) -> tuple[str | None, str]:
    """Revision of the schema (None: no tables yet), and the newest MLflow that wrote to it."""
    from packaging.version import InvalidVersion, Version
    from sqlalchemy import create_engine, inspect, text

    engine = create_engine(url)
    try:
        tables = inspect(engine).get_table_names()
        if "study_directions" in tables:
            raise ResourceError(
                f"MLflow cannot be used at {_place(url)}: this is an Optuna database, and both "
                "keep tables of the same names; give MLflow a database of its own"
            )
        if "alembic_version" not in tables:
            return None, ""
        with engine.connect() as connection:
            schema = connection.execute(text("select version_num from alembic_version")).scalar()
            query = text("select distinct value from tags where key = :key")
            tags = connection.execute(query, {"key": MLFLOW_VERSION_TAG}).scalars().all()
    finally:
        engine.dispose()
    writers = []
    for tag in tags:
        try:
            writers.append(Version(str(tag)))
        except InvalidVersion:
            continue
    return schema, f"MLflow {max(writers)}" if writers else ""


def _copy(file: Path, backup: Path) -> None:
    """Copy a sqlite file that others may have open; an earlier copy is kept."""
    if backup.exists():
        return
    partial = backup.with_name(f".{backup.name}.partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(partial)) as target:
        source.backup(target)
    shutil.copymode(file, partial)
    partial.replace(backup)


def _place(url: str) -> str:
    return str(sqlite_file(url) or url)
