"""By which tags runs are found again, and how their ends are called in MLflow."""

from collections.abc import Mapping

from bearing_search.trial_history.callbacks import SweepView
from bearing_search.trial_history.records import TrialRecord, TrialState

SWEEP_TAG = "bearing_search.sweep"
"""Name of the sweep, on its own run and on those of its trials."""

SWEEP_ID_TAG = "bearing_search.sweep_id"
"""Tells sweeps of one name in different results folders apart."""

TRIAL_TAG = "bearing_search.trial"
"""The trial's number; the run of the sweep itself has none."""

DIGEST_TAG = "bearing_search.config_digest"
"""Digest of the trial's config, in the sweep's scheme."""

IDENTITY_TAG = "bearing_search.identity"
"""Digest of all that the trial's score depends on: config, data, folds, seed, protocol and code."""

PURPOSE_TAG = "bearing_search.purpose"
"""Why the trial is run; its setting under another seed has the same parameters."""

SEED_TAG = "bearing_search.seed"
"""The config's seed."""

STATE_TAG = "bearing_search.state"
"""How the trial ended; MLflow's own status calls what was pruned KILLED, as what was stopped."""

TO_USE_TAG = "bearing_search.to_use"
"""`yes` on the runs of the setting that the report says to use; `no` where that is over."""

PARENT_TAG = "mlflow.parentRunId"
"""MLflow's own: shows a trial below its sweep."""

STATUS: Mapping[TrialState, str] = {
    "complete": "FINISHED",
    "failed": "FAILED",
    "pruned": "KILLED",
    "stopped": "KILLED",
}
"""MLflow's status of a run whose trial ended so."""


def sweep_tags(sweep: SweepView) -> dict[str, str]:
    """What every run of a sweep is found by."""
    return {SWEEP_TAG: sweep.name, SWEEP_ID_TAG: sweep.sweep_id}


def end_tags(trial: TrialRecord) -> dict[str, str]:
    """How a trial ended, and why."""
    return {STATE_TAG: trial.state, **({"reason": trial.reason[:5000]} if trial.reason else {})}


def run_tags(trial: TrialRecord, *, parent: str) -> dict[str, str]:
    """What a trial's run is found and told apart by, below the sweep's own."""
    return {
        PARENT_TAG: parent,
        TRIAL_TAG: str(trial.number),
        DIGEST_TAG: trial.digest,
        IDENTITY_TAG: trial.identity,
        PURPOSE_TAG: trial.purpose,
        SEED_TAG: str(trial.seed),
    }
