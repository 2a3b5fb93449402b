"""Converts Optuna's trials to `TrialRecord`, for the ledger and for commands that only read."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from bearing_search.filesystem.database_url import sqlite_file, sqlite_url
from bearing_search.filesystem.sqlite_copy import readable
from bearing_search.filesystem.stored_file import naming_damage
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
"""User attribute of a trial that was redrawn because it repeated an earlier suggestion; only Optuna
counts it as a trial."""


KNOWN = "known"
"""User attribute of a trial of an earlier sweep, added for the sampler; names sweep and trial."""


def trial_records(study: optuna.Study) -> list[TrialRecord]:
    """Records of a sweep's trials, by number; redrawn and prior trials leave gaps."""
    return [trial_record(trial) for trial in study.get_trials(deepcopy=False) if is_trial(trial)]


def is_trial(trial: FrozenTrial) -> bool:
    """Whether a trial of the study is a trial of the sweep: neither redrawn nor a prior one."""
    return not {REDRAWN, KNOWN} & set(trial.user_attrs)


def purpose_of(trial: FrozenTrial | Trial) -> TrialPurpose:
    """Purpose of a trial; `search` if it has no such attribute, as when the sampler drew it."""
    purpose: TrialPurpose = trial.user_attrs.get("purpose", "search")
    return purpose


def trial_record(trial: FrozenTrial) -> TrialRecord:
    """Convert a trial of the study to a `TrialRecord`."""
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
    """Records of all trials of a ledger that another process may be writing; read-only.

    Raises:
        SweepError: the ledger cannot be read.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with storage_errors(url), _readable(url) as place:
        storage = open_storage(place, read_only=True)
        try:
            study = optuna.load_study(study_name=name, storage=storage)
            return trial_records(study)
        except KeyError:
            return []  # the driver has not created the study yet
        finally:
            storage.engine.dispose()


@contextmanager
def _readable(url: str) -> Iterator[str]:
    """The URL, or that of a copy if it names a file in a read-only folder."""
    file = sqlite_file(url)
    if file is None or not file.exists():
        yield url
        return
    with ExitStack() as stack:
        with naming_damage(file):
            copy = stack.enter_context(readable(file))
        yield url if copy == file else sqlite_url(copy)
