"""Whether the installed MLflow still has, and means, what `tracking/_vendor.py` uses of it."""

import pytest

from bearing_search.tracking._vendor import (
    close_database,
    forget_artifact_places,
    known_schemas,
    move_artifacts,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # MLflow's own, of its many dependencies
]


def test_a_clients_database_can_be_let_go(tmp_path):
    import mlflow
    from sqlalchemy.engine import Engine

    differs = (
        f"MLflow {mlflow.__version__}: MlflowClient._tracking_client.store.engine is not as in "
        "3.17.2; mend tracking/_vendor.py"
    )
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    client.search_experiments(max_results=1)
    engine = client
    for name in ("_tracking_client", "store", "engine"):
        assert hasattr(engine, name), differs
        engine = getattr(engine, name)
    assert isinstance(engine, Engine), differs
    pool = engine.pool
    close_database(client)
    assert engine.pool is not pool, differs  # disposed of: its connections are closed


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A sqlite file with one experiment, its client, and one of its runs."""
    import mlflow

    root = tmp_path_factory.mktemp("results")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{root / 'mlflow.db'}")
    place = (root / "mlartifacts" / "a b").as_uri()
    run = client.create_run(client.create_experiment("a b", artifact_location=place))
    return root / "mlflow.db", client, run.info.run_id


def test_the_place_of_artifacts_can_be_moved_and_forgotten(store, tmp_path):
    import mlflow

    file, client, run = store
    root = tmp_path / "r?2" / "mlartifacts"
    client.log_dict(run, {}, "first.json")
    assert move_artifacts(file, root)
    assert not move_artifacts(file, root)
    forget_artifact_places()
    client.log_dict(run, {}, "second.json")

    differs = f"MLflow {mlflow.__version__} is not as 3.17.2; mend tracking/_vendor.py"
    assert (root / "a b" / run / "artifacts" / "second.json").exists(), differs
    assert not (file.parent / "mlartifacts" / "a b" / run / "artifacts" / "second.json").exists()


def test_the_newest_known_schema_is_that_of_a_new_database(store):
    import sqlite3

    with sqlite3.connect(store[0]) as base:
        found = base.execute("select version_num from alembic_version").fetchone()
    base.close()
    assert found == (known_schemas()[0],)
    assert len(set(known_schemas())) > 50
