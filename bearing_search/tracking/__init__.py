"""Logs a sweep's measurements to MLflow, from the driver process."""

from bearing_search.tracking.store import default_tracking_uri, experiments
from bearing_search.tracking.tracker import MlflowTracker

__all__ = ["MlflowTracker", "default_tracking_uri", "experiments"]
