"""Databases of other versions of MLflow, real ones; and an Optuna database in their place."""

import logging
import sqlite3
from contextlib import closing
from importlib.metadata import version

import optuna
import pytest

from bearing_search.errors import ResourceError
from bearing_search.filesystem.database_url import sqlite_url
from bearing_search.tracking import MlflowTracker, default_tracking_uri
from bearing_search.tracking.store import connect
from bearing_search.trial_history.callbacks import SweepView

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # MLflow's own, of its many dependencies
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "mlflow.db"


@pytest.fixture
def uri(file):
    return default_tracking_uri(file.parent)


def sweep_in(folder):
    return SweepView(name="one", sweep_id="s", folder=folder / "one", target=1)


def test_a_store_by_a_newer_mlflow_is_one_line_with_both_versions(file, uri, tmp_path):
    MlflowTracker(uri).on_sweep_start(sweep_in(tmp_path))
    with closing(sqlite3.connect(file)) as base, base:
        base.execute("update alembic_version set version_num = 'f00df00df00d'")
        base.execute("update tags set value = '99.1.0' where key = 'version.mlflow'")
    before = file.read_bytes()

    with pytest.raises(ResourceError) as told:
        MlflowTracker(uri).on_sweep_start(sweep_in(tmp_path))

    text = str(told.value)
    assert "\n" not in text
    assert f"{file}: its database was written by a newer MLflow (MLflow 99.1.0)" in text
    assert f"than the installed one ({version('mlflow')}," in text
    assert file.read_bytes() == before


def test_a_store_by_an_older_mlflow_is_copied_before_it_is_migrated(file, uri, caplog):
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    from bearing_search.tracking._vendor import known_schemas

    newest, before, *_ = known_schemas()
    engine = create_engine(sqlite_url(file))
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        config = _get_alembic_config(sqlite_url(file))
        config.attributes["connection"] = connection
        command.upgrade(config, before)
    engine.dispose()

    with caplog.at_level(logging.WARNING):
        connect(uri)

    backup = file.with_name(f"mlflow.db.before-mlflow-{version('mlflow')}")
    for database, schema in ((file, newest), (backup, before)):
        with closing(sqlite3.connect(database)) as base:
            assert base.execute("select * from alembic_version").fetchall() == [(schema,)]
    assert f"it is migrated to {version('mlflow')}, a copy is {backup}" in caplog.text
    assert file.stat().st_mode == backup.stat().st_mode


def test_an_optuna_database_is_refused_before_a_table_is_made(tmp_path):
    url = sqlite_url(tmp_path / "x.db")
    optuna.create_study(storage=url)

    with pytest.raises(ResourceError, match="is an Optuna database"):
        connect(url)

    with closing(sqlite3.connect(tmp_path / "x.db")) as base:
        tables = {name for (name,) in base.execute("select name from sqlite_master")}
    assert "experiments" not in tables
