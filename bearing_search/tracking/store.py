"""Connects to MLflow's tracking store, a server or a local sqlite file, and quiets its logging.

MLflow is imported on first use: the import takes seconds, and it reads the environment.
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
    # an unreachable server must not hold up the sweep
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


def default_tracking_uri(results: Path) -> str:
    """URI of the store that all sweeps in a results folder share: `mlflow.db`."""
    return f"sqlite:///{results.resolve() / 'mlflow.db'}"


def connect(uri: str) -> Any:
    """An MlflowClient whose store has answered; a new sqlite store is initialised first.

    Raises:
        Exception: MLflow's own, if the store does not answer.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    # it logs a traceback for every database error; we report those in one line
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    for logger in ("mlflow", "alembic"):  # importing them resets their log levels
        logging.getLogger(logger).setLevel(logging.ERROR)
    file = _sqlite_file(uri)
    if file is None:
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
        return client
    file.parent.mkdir(parents=True, exist_ok=True)
    # processes that create the tables concurrently corrupt the file
    with file.with_name(f".{file.name}.lock").open("w") as stream:
        flock(stream, LOCK_EX)
        if not file.exists():
            _create(file)
    client = MlflowClient(tracking_uri=uri)
    client.search_experiments(max_results=1)
    return client


def experiments(uri: str) -> dict[str, str]:
    """Sweep name -> experiment id of the sweeps in a store, newest first."""
    client = connect(uri)
    found = client.search_experiments(max_results=100, order_by=["creation_time DESC"])
    return {one.name: str(one.experiment_id) for one in found if one.name != "Default"}


def _create(file: Path) -> None:
    """Create the database under a temporary name: a kill during the migrations would break it."""
    from mlflow import MlflowClient

    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    client = MlflowClient(tracking_uri=f"sqlite:///{new}")
    client.search_experiments(max_results=1)
    close_database(client)
    with closing(sqlite3.connect(new)) as database:
        database.execute("pragma journal_mode=wal")  # stored in the file
    new.replace(file)


def find_experiment(client: Any, uri: str, name: str) -> str:
    """Id of a sweep's experiment, which is created or restored if necessary."""
    found = client.get_experiment_by_name(name)
    if found is None:
        place = artifact_root(uri)
        where = (place / name).as_uri() if place else None
        return str(client.create_experiment(name, artifact_location=where))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def find_runs(client: Any, experiment: str, sweep_id: str, trial: int | None) -> Iterator[Any]:
    """Iterate over the runs of a sweep, or of one of its trials."""
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
    """Artifact folder next to a sqlite store; None for a server, which has its own."""
    file = _sqlite_file(uri)
    return file.parent / "mlartifacts" if file else None


def allowed(name: str) -> str:
    """The name with characters that MLflow rejects replaced; part folders may have any name."""
    return re.sub(r"[^/\w.\- :]", "_", name)


def unavailable() -> tuple[type[Exception], ...]:
    """Exceptions that MLflow raises when its store is unreachable, full, locked or rejects data."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, OSError
