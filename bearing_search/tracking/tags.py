"""Tags by which runs are found, and the MLflow status for each trial state."""

from collections.abc import Mapping

from bearing_search.trial_history.callbacks import SweepView
from bearing_search.trial_history.records import TrialRecord, TrialState

SWEEP_TAG = "bearing_search.sweep"
"""Name of the sweep, on its parent run and on its trials' runs."""

SWEEP_ID_TAG = "bearing_search.sweep_id"
"""Distinguishes sweeps of the same name in different results folders."""

TRIAL_TAG = "bearing_search.trial"
"""The trial's number; absent from the parent run."""

DIGEST_TAG = "bearing_search.config_digest"
"""Digest of the trial's config, in the sweep's scheme."""

IDENTITY_TAG = "bearing_search.identity"
"""Digest of everything the score depends on: config, data, folds, seed, protocol and code."""

PURPOSE_TAG = "bearing_search.purpose"
"""Purpose of the trial: runs of one setting under different seeds have the same parameters."""

SEED_TAG = "bearing_search.seed"
"""Seed of the config."""

STATE_TAG = "bearing_search.state"
"""Final state of the trial; MLflow's own status is KILLED for both pruned and stopped trials."""

TO_USE_TAG = "bearing_search.to_use"
"""`yes` on the runs of the setting that the report recommends; `no` once it no longer does."""

MLFLOW_VERSION_TAG = "version.mlflow"
"""On a sweep's parent run: version of the MLflow that last wrote to it."""

PARENT_TAG = "mlflow.parentRunId"
"""MLflow's own tag, which nests a trial's run under its sweep's."""

STATUS: Mapping[TrialState, str] = {
    "complete": "FINISHED",
    "failed": "FAILED",
    "pruned": "KILLED",
    "stopped": "KILLED",
}
"""MLflow's run status for each state in which a trial can end."""


def sweep_tags(sweep: SweepView) -> dict[str, str]:
    """Tags that identify every run of a sweep."""
    return {SWEEP_TAG: sweep.name, SWEEP_ID_TAG: sweep.sweep_id}


def end_tags(trial: TrialRecord) -> dict[str, str]:
    """Tags for a trial's final state and the reason for it."""
    return {STATE_TAG: trial.state, **({"reason": trial.reason} if trial.reason else {})}


def run_tags(trial: TrialRecord, *, parent: str) -> dict[str, str]:
    """Tags that identify a trial's run and nest it under the sweep's parent run."""
    return {
        PARENT_TAG: parent,
        TRIAL_TAG: str(trial.number),
        DIGEST_TAG: trial.digest,
        IDENTITY_TAG: trial.identity,
        PURPOSE_TAG: trial.purpose,
        SEED_TAG: str(trial.seed),
    }
