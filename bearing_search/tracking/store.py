"""Where MLflow keeps its runs: a server, or a sqlite file of our own; made ready and quiet.

MLflow is imported when it is first needed: the import takes seconds, and reads the environment.
"""

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

from bearing_search.tracking._vendor import close_database
from bearing_search.tracking.tags import SWEEP_ID_TAG, TRIAL_TAG

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    # a server that is away must not hold the sweep up
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


def default_tracking_uri(results: Path) -> str:
    """The store of all sweeps of a results folder: `mlflow.db`, artifacts beside it."""
    return f"sqlite:///{results.resolve() / 'mlflow.db'}"


def connect(uri: str) -> Any:
    """An MlflowClient whose store answers; a new sqlite store gets its tables here.

    Raises:
        Exception: MLflow's own, where the store does not answer.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    # it shows a traceback of every trouble with its database, which `unavailable` tells in a line
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    for logger in ("mlflow", "alembic"):  # their import sets levels of its own
        logging.getLogger(logger).setLevel(logging.ERROR)
    file = _sqlite_file(uri)
    if file is None:
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
        return client
    file.parent.mkdir(parents=True, exist_ok=True)
    # several processes that make the tables at once leave the file broken
    with file.with_name(f".{file.name}.lock").open("w") as stream:
        flock(stream, LOCK_EX)
        if not file.exists():
            _create(file)
    client = MlflowClient(tracking_uri=uri)
    client.search_experiments(max_results=1)
    return client


def experiments(uri: str) -> dict[str, str]:
    """Names and ids of the sweeps in a store, the newest first."""
    client = connect(uri)
    found = client.search_experiments(max_results=100, order_by=["creation_time DESC"])
    return {one.name: str(one.experiment_id) for one in found if one.name != "Default"}


def _create(file: Path) -> None:
    """Make the tables beside the file and rename: a kill among MLflow's migrations is for ever."""
    from mlflow import MlflowClient

    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    client = MlflowClient(tracking_uri=f"sqlite:///{new}")
    client.search_experiments(max_results=1)
    close_database(client)
    with closing(sqlite3.connect(new)) as database:
        database.execute("pragma journal_mode=wal")  # kept in the file
    new.replace(file)


def find_experiment(client: Any, uri: str, name: str) -> str:
    """The id of a sweep's experiment, made or restored where it is missing."""
    found = client.get_experiment_by_name(name)
    if found is None:
        place = artifact_root(uri)
        where = (place / name).as_uri() if place else None
        return str(client.create_experiment(name, artifact_location=where))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def find_runs(client: Any, experiment: str, sweep_id: str, trial: int | None) -> Iterator[Any]:
    """The runs of a sweep, or of one of its trials."""
    query = f"tags.`{SWEEP_ID_TAG}` = '{sweep_id}'"
    if trial is not None:
        query += f" and tags.`{TRIAL_TAG}` = '{trial}'"
    token = None
    while True:
        page = client.search_runs([experiment], query, page_token=token)
        yield from page
        if not (token := page.token):
            return


def _sqlite_file(uri: str) -> Path | None:
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def artifact_root(uri: str) -> Path | None:
    """Beside a store of our own; a server decides for itself."""
    file = _sqlite_file(uri)
    return file.parent / "mlartifacts" if file else None


def allowed(name: str) -> str:
    """A key that MLflow takes: a part's folder may be called anything."""
    return re.sub(r"[^/\w.\- :]", "_", name)


def unavailable() -> tuple[type[Exception], ...]:
    """What MLflow raises when its store is away, full or locked, or refuses what it gets."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, OSError
