"""Whether the installed MLflow still has, and means, what `tracking/_vendor.py` uses of it."""

import pytest

from bearing_search.tracking._vendor import close_database

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
