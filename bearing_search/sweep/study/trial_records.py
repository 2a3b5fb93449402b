"""Converts Optuna's trials to `TrialRecord`, for the ledger and for commands that only read."""

import json
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from bearing_search.search_space.objectives import ObjectiveValues
from bearing_search.sweep.study.storage import open_storage, storage_errors
from bearing_search.trial_history.records import TrialPurpose, TrialRecord

_STATES: Mapping[TrialState, Any] = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


REDRAWN = "redrawn"
"""Attribute of a trial whose suggestion had been made before, so that another was drawn: it never
was a trial to anybody but Optuna."""


KNOWN = "known"
"""Attribute of a point of an earlier sweep that the sampler knows; names that sweep and trial."""


def trial_records(study: optuna.Study) -> list[TrialRecord]:
    """All trials of a sweep, by number; numbers skip what was drawn anew or known before."""
    return [trial_record(trial) for trial in study.get_trials(deepcopy=False) if is_trial(trial)]


def is_trial(trial: FrozenTrial) -> bool:
    """Whether a trial of the study is one to anybody but Optuna."""
    return not {REDRAWN, KNOWN} & set(trial.user_attrs)


def purpose_of(trial: FrozenTrial | Trial) -> TrialPurpose:
    """Why a trial is run; what the sampler drew says nothing of it."""
    purpose: TrialPurpose = trial.user_attrs.get("purpose", "search")
    return purpose


def trial_record(trial: FrozenTrial) -> TrialRecord:
    """The `TrialRecord` of a trial of the study."""
    duration = trial.duration.total_seconds() if trial.duration else None
    return TrialRecord(
        number=trial.number,
        state=_STATES[trial.state],
        suggestion=json.loads(trial.user_attrs.get("suggestion", "{}")),
        digest=trial.user_attrs.get("digest", ""),
        identity=trial.user_attrs.get("identity", ""),
        is_refused=trial.user_attrs.get("refused", False),
        same_as=trial.user_attrs.get("same_as"),
        retry_of=trial.user_attrs.get("retry_of"),
        purpose=purpose_of(trial),
        seed=trial.user_attrs.get("seed", 0),
        setting=trial.user_attrs.get("setting", ""),
        prefix=tuple(trial.user_attrs.get("prefix", ())),
        value=trial.values[0] if trial.state == TrialState.COMPLETE else None,
        judged=ObjectiveValues(
            scores=json.loads(trial.user_attrs.get("scores", "{}")), missed=trial.constraints
        ),
        reason=trial.user_attrs.get("reason", ""),
        started=trial.datetime_start,
        duration_s=duration,
    )


def read_records(url: str, name: str) -> list[TrialRecord]:
    """All trials of a ledger that another process may be writing; changes nothing.

    Raises:
        SweepError: the ledger cannot be read.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with storage_errors(url):
        storage = open_storage(url, read_only=True)
        try:
            study = optuna.load_study(study_name=name, storage=storage)
            return trial_records(study)
        except KeyError:
            return []  # the driver has not got so far
        finally:
            storage.engine.dispose()
