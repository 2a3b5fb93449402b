"""Everything this package uses beyond MLflow's public API, as found in MLflow 3.17.2.

`tests/tracking/test_vendor.py` fails when another version differs.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote


def close_database(client: Any) -> None:
    """Close a client's connections to its sqlite file, so that the file can be renamed.

    Private: `MlflowClient._tracking_client.store.engine`, a SQLAlchemy engine.
    """
    client._tracking_client.store.engine.dispose()


def forget_artifact_places() -> None:
    """Forget where this process found the artifacts of runs: their folder may have been moved.

    Private: `mlflow.tracking._tracking_service.utils._artifact_repos_cache`, run id -> repository.
    """
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()


def known_schemas() -> Sequence[str]:
    """Revisions of the database schema that the installed MLflow knows, newest first.

    Private: `mlflow.store.db.utils._get_alembic_config`.
    """
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    scripts = ScriptDirectory.from_config(_get_alembic_config(""))
    return [str(script.revision) for script in scripts.walk_revisions()]


def upgrade_database(url: str) -> None:
    """Migrate a database to the schema of the installed MLflow, as `mlflow db upgrade` does.

    Private: `mlflow.store.db.utils._upgrade_db`.
    """
    from mlflow.store.db.utils import _upgrade_db
    from sqlalchemy import create_engine

    engine = create_engine(url)
    try:
        _upgrade_db(engine)
    finally:
        engine.dispose()


def move_artifacts(file: Path, root: Path) -> bool:
    """Make the experiments of a sqlite file keep their artifacts below `root`.

    Returns whether any of them had another place.

    Only experiments whose location is `<somewhere>/<name of root>/<name of the experiment>` are
    changed. MLflow records absolute locations of experiments and runs and offers no way to change
    them. Private: the tables `experiments` and `runs`.
    """
    moved = False
    with closing(sqlite3.connect(file, timeout=60)) as base, base:
        rows = base.execute("select experiment_id, name, artifact_location from experiments")
        for experiment, name, old in rows.fetchall():
            new = (root / name).as_uri()
            if old == new or not str(old).endswith(f"/{quote(root.name)}/{quote(name)}"):
                continue
            base.execute(
                "update experiments set artifact_location = ? where experiment_id = ?",
                (new, experiment),
            )
            base.execute(
                "update runs set artifact_uri = ? || substr(artifact_uri, ?)"
                " where experiment_id = ? and substr(artifact_uri, 1, ?) = ?",
                (new, len(old) + 1, experiment, len(old) + 1, f"{old}/"),
            )
            moved = True
    return moved
