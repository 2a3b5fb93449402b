"""By which tags runs are found again, and how their ends are called in MLflow."""

from collections.abc import Mapping

from bearing_search.observer import TrialState

SWEEP_TAG = "bearing_search.sweep"
"""Name of the sweep, on its own run and on those of its trials."""

SWEEP_ID_TAG = "bearing_search.sweep_id"
"""Tells sweeps of one name in different results folders apart."""

TRIAL_TAG = "bearing_search.trial"
"""The trial's number; the run of the sweep itself has none."""

DIGEST_TAG = "bearing_search.config_digest"
"""Digest of the trial's config."""

PARENT_TAG = "mlflow.parentRunId"
"""MLflow's own: shows a trial below its sweep."""

STATUS: Mapping[TrialState, str] = {
    "complete": "FINISHED",
    "failed": "FAILED",
    "pruned": "KILLED",
    "stopped": "KILLED",
}
"""MLflow's status of a run whose trial ended so."""
