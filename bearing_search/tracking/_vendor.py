"""All that this package uses of MLflow beyond its public API; each seen in MLflow 3.17.2.

`tests/tracking/test_vendor.py` says when another version differs.
"""

from typing import Any


def close_database(client: Any) -> None:
    """Let go of the sqlite file of a client, so that it can be renamed.

    Private: `MlflowClient._tracking_client.store.engine`, an engine of SQLAlchemy.
    """
    client._tracking_client.store.engine.dispose()
