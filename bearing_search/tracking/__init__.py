"""Logs a sweep's measurements to MLflow, from the driver process."""

from bearing_search.tracking.display import VIEW_KEY
from bearing_search.tracking.store import (
    check_store,
    default_tracking_uri,
    experiments,
    publish_view,
    readable_store,
)
from bearing_search.tracking.tracker import MlflowTracker

__all__ = [
    "VIEW_KEY",
    "MlflowTracker",
    "check_store",
    "default_tracking_uri",
    "experiments",
    "publish_view",
    "readable_store",
]
