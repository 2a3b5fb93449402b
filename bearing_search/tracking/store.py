"""Connects to MLflow's tracking store, a server or a local sqlite file, and quiets its logging.

MLflow is imported on first use: the import takes seconds, and it reads the environment.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

from bearing_search.filesystem.database_url import sqlite_file, sqlite_url
from bearing_search.filesystem.sqlite_copy import readable
from bearing_search.tracking._vendor import (
    close_database,
    forget_artifact_places,
    move_artifacts,
)
from bearing_search.tracking.display import VIEW_TAG, view_of_runs
from bearing_search.tracking.errors import store_errors
from bearing_search.tracking.schema import check_schema
from bearing_search.tracking.tags import SWEEP_ID_TAG, TRIAL_TAG

_LOG = logging.getLogger(__name__)
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
    # with the driver's name: for a plain `sqlite:` MLflow creates a folder of the path as quoted
    return sqlite_url(results.resolve() / "mlflow.db", driver="sqlite+pysqlite")


def connect(uri: str) -> Any:
    """An MlflowClient whose store has answered; a sqlite store is made ready for writing first.

    It is created if it is missing, migrated if it is older than the installed MLflow, and its
    artifacts are expected in `mlartifacts` beside it, wherever they were before.

    Raises:
        ResourceError: the database was written by a newer MLflow, or is another program's.
        Exception: MLflow's own, if the store does not answer.
    """
    _prepare_mlflow()
    from mlflow import MlflowClient

    file = sqlite_file(uri)
    if file is None:
        check_schema(uri)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _locked(file):
            if not file.exists():
                _create(file)
            check_schema(uri)
            if move_artifacts(file, artifact_root(file)):
                _LOG.warning(
                    "the results were moved or copied; MLflow now keeps their files in %s",
                    artifact_root(file),
                )
    client = MlflowClient(tracking_uri=uri)
    if file is not None:  # what this process knows may be of a folder that was moved away
        close_database(client)
        forget_artifact_places()
    client.search_experiments(max_results=1)
    return client


def check_store(uri: str) -> None:
    """Refuse a store that cannot be used.

    Raises:
        ResourceError: it cannot be reached, or its database was written by a newer MLflow.
    """
    with store_errors(uri):
        connect(uri)


@dataclass(frozen=True, slots=True)
class ReadableStore:
    """The store of a results folder, or a copy of it if the folder is read-only."""

    uri: str
    is_copy: bool


@contextmanager
def readable_store(results: Path) -> Iterator[ReadableStore]:
    """The store of a results folder that may be read-only: then a copy, deleted at the end.

    Raises:
        ResourceError: the store cannot be read, or was written by a newer MLflow.
    """
    _prepare_mlflow()
    file = results.resolve() / "mlflow.db"
    with ExitStack() as stack:
        with store_errors(str(file)):
            copy = stack.enter_context(readable(file))
            if copy == file:
                connect(default_tracking_uri(results))
            else:
                check_schema(sqlite_url(copy))
                move_artifacts(copy, artifact_root(file))
        yield ReadableStore(default_tracking_uri(copy.parent), is_copy=copy != file)


def _prepare_mlflow() -> None:
    """Import MLflow quietly: it logs a traceback for every database error."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: F401

    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    for logger in ("mlflow", "alembic"):  # importing them resets their log levels
        logging.getLogger(logger).setLevel(logging.ERROR)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the lock beside a sqlite file: processes that create its tables together corrupt it."""
    with file.with_name(f".{file.name}.lock").open("w") as stream:
        flock(stream, LOCK_EX)
        yield


def experiments(uri: str) -> dict[str, str]:
    """Sweep name -> experiment id of the sweeps in a store, newest first."""
    _prepare_mlflow()
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = client.search_experiments(max_results=100, order_by=["creation_time DESC"])
    return {one.name: str(one.experiment_id) for one in found if one.name != "Default"}


def publish_view(uri: str, experiment: str, objective: str, parameters: Sequence[str]) -> None:
    """Give a sweep's experiment the view that `VIEW_KEY` opens; see `view_of_runs`."""
    from mlflow import MlflowClient

    view = view_of_runs(objective, parameters)
    MlflowClient(tracking_uri=uri).set_experiment_tag(experiment, VIEW_TAG, view)


def _create(file: Path) -> None:
    """Create the database under a temporary name: a kill during the migrations would break it."""
    from mlflow import MlflowClient

    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    client = MlflowClient(tracking_uri=sqlite_url(new, driver="sqlite+pysqlite"))
    client.search_experiments(max_results=1)
    close_database(client)
    with closing(sqlite3.connect(new)) as database:
        database.execute("pragma journal_mode=wal")  # stored in the file
    new.replace(file)


def find_experiment(client: Any, uri: str, name: str) -> str:
    """Id of a sweep's experiment, which is created or restored if necessary."""
    found = client.get_experiment_by_name(name)
    if found is None:
        file = sqlite_file(uri)
        where = (artifact_root(file) / name).as_uri() if file else None
        return str(client.create_experiment(name, artifact_location=where))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def find_runs(client: Any, experiment: str, sweep_id: str, trial: int | None) -> Iterator[Any]:
    """Iterate over the runs of a sweep, or of one of its trials; deleted ones come, too."""
    from mlflow.entities import ViewType

    query = f"tags.`{SWEEP_ID_TAG}` = '{sweep_id}'"
    if trial is not None:
        query += f" and tags.`{TRIAL_TAG}` = '{trial}'"
    token = None
    while True:
        page = client.search_runs([experiment], query, ViewType.ALL, page_token=token)
        yield from page
        if not (token := page.token):
            return


def artifact_root(file: Path) -> Path:
    """Artifact folder next to a sqlite store; a server has its own."""
    return file.absolute().parent / "mlartifacts"
