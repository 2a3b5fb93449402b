"""A sweep's measurements into MLflow, from the driver."""

from bearing_search.tracking.store import default_tracking_uri, experiments
from bearing_search.tracking.tracker import MlflowTracker

__all__ = ["MlflowTracker", "default_tracking_uri", "experiments"]
