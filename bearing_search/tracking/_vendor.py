"""Everything this package uses beyond MLflow's public API, as found in MLflow 3.17.2.

`tests/tracking/test_vendor.py` fails when another version differs.
"""

from typing import Any


def close_database(client: Any) -> None:
    """Close a client's connections to its sqlite file, so that the file can be renamed.

    Private: `MlflowClient._tracking_client.store.engine`, a SQLAlchemy engine.
    """
    client._tracking_client.store.engine.dispose()
