"""The ledger: an Optuna study that says which trials exist and how each one ended.

A trial is RUNNING from the moment it is drawn until its end is told, whatever dies in between;
at the next start every RUNNING trial is issued again. Only the holder of the sweep's lock may
open a ledger, or a trial would be issued twice.
"""

import json
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from bearing_search.config import TrialConfig
from bearing_search.errors import ConfigError, SweepError
from bearing_search.measurement import (
    FINISHED_FOLDS,
    FOLD_OBJECTIVE,
    RUNNING_OBJECTIVE,
    Measurement,
)
from bearing_search.observer import TrialPurpose, TrialRecord
from bearing_search.space import SearchSpace
from bearing_search.sweep.grid import grid_points
from bearing_search.sweep.record import SweepRecord
from bearing_search.sweep.samplers import pruner_of, sampler_of
from bearing_search.sweep.storage import open_storage, storage_errors
from bearing_search.sweep.suggestions import encode, suggest
from bearing_search.sweep.trials import record_of

MAX_FAILURES_PER_CONFIG = 2
"""A config that failed so often in one sweep is not trained again."""

MAX_REDRAWS = 25
"""Suggestions in a row that may be refused before the sweep gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A trial to be run, for the first time or again."""

    number: int
    config: TrialConfig
    suggestion: Mapping[str, Any]


class Ledger:
    """The study of one sweep, opened for writing.

    Args:
        url: SQLAlchemy URL; sqlite is put into WAL mode, so that readers do not lock it.
        name: of the study inside that database.
        space: what is drawn; trial 0 is its default suggestion.
        record: its target, seed, sampler, pruner and objective. The seed is mixed with the number
            of trials: reopening with the same seed would draw the same start-up points again.
    """

    def __init__(self, *, url: str, name: str, space: SearchSpace, record: SweepRecord) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._record = record
        with storage_errors(url):
            self._storage = open_storage(url)
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=name,
                load_if_exists=True,
                direction="maximize",
                pruner=pruner_of(record.pruner),
            )
            trials = self._study.get_trials(deepcopy=False)
            seed = (record.seed * 1_000_003 + len(trials)) % 2**32
            self._study.sampler = sampler_of(record.sampler, seed)
            if not trials:
                self._enqueue(space.default_suggestion(), "default")
        self._orphans = [t._trial_id for t in trials if t.state == TrialState.RUNNING]
        self._live: dict[int, Trial] = {}
        self.finished = sum(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in trials)
        self._failures = Counter(
            t.user_attrs.get("digest", "")
            for t in trials
            if t.state == TrialState.FAIL and not t.user_attrs.get("refused")
        )
        self._points = self._points_left() if record.sampler == "grid" else None

    @property
    def is_done(self) -> bool:
        """Whether the target is reached, or nothing of a grid is left to try in this session."""
        is_tried = self._points is not None and not (self._points or self._orphans or self._live)
        return self.finished >= self._record.target or is_tried

    def next(self) -> Issued | None:
        """The next trial to run; None where those that run may be the last.

        Raises:
            SweepError: every new suggestion is one that failed before, or impossible.
        """
        while self._orphans:
            if issued := self._issue(Trial(self._study, self._orphans.pop(0))):
                return issued
        if self.finished + len(self._live) >= self._record.target:
            return None
        for _ in range(MAX_REDRAWS):
            if self._points is not None and not self._enqueue_point():
                return None
            if issued := self._issue(self._study.ask()):
                return issued
        last = self.records()[-1]
        raise SweepError(
            f"the last {MAX_REDRAWS} suggestions had all failed before or were impossible; the "
            f"last: {last.reason}. Widen the space, or mend what makes its trials fail"
        )

    def report(self, number: int, measurement: Measurement) -> bool:
        """Note how the last fold went; returns whether the trial should end as pruned.

        The Wilcoxon test pairs folds with those of the best trial, so it is told each fold's own
        score; the others compare running means. Only what the sampler drew is ever pruned.
        """
        values = measurement.values
        told = FOLD_OBJECTIVE if self._record.pruner == "wilcoxon" else RUNNING_OBJECTIVE
        if told not in values or self._record.objective in values:
            return False
        trial = self._live[number]
        step = int(values[FINISHED_FOLDS])
        known = self._study._storage.get_trial(trial._trial_id).intermediate_values
        if step not in known:
            trial.report(values[told], step)
        is_drawn = trial.user_attrs.get("purpose", "search") == "search"
        return is_drawn and bool(trial.should_prune())  # NumPy's, of the median

    def complete(self, number: int, value: float) -> None:
        """Tell a trial's objective, once."""
        self._study.tell(self._live.pop(number), value, skip_if_finished=True)
        self.finished += 1

    def prune(self, number: int) -> None:
        """Tell that a trial was ended early; its partial value is no value."""
        trial = self._live.pop(number)
        self._study.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)
        self.finished += 1

    def fail(self, number: int, reason: str, trace: str) -> None:
        """Tell that a trial gave no score; its slot is free again."""
        trial = self._live.pop(number)
        digest = trial.user_attrs.get("digest", "")
        self._failures[digest] += 1
        trial.set_user_attr("traceback", trace)
        self._tell_failed(trial, reason)
        if self._points is not None and self._failures[digest] < MAX_FAILURES_PER_CONFIG:
            self._points.append(json.loads(trial.user_attrs["suggestion"]))

    def leave(self, number: int) -> None:
        """Forget a trial that was stopped: it stays RUNNING, to be issued again at resume."""
        self._live.pop(number)

    def records(self) -> list[TrialRecord]:
        """All trials, by number."""
        return [record_of(trial) for trial in self._study.get_trials(deepcopy=False)]

    def close(self) -> None:
        """Let go of the database."""
        self._storage.engine.dispose()

    def _enqueue(self, suggestion: Mapping[str, Any], purpose: TrialPurpose) -> None:
        """Let this be what is asked for next. Kept in the study, so a kill does not lose it."""
        digest = self._space.trial(suggestion).digest
        self._study.enqueue_trial(
            encode(self._space, suggestion), user_attrs={"purpose": purpose, "digest": digest}
        )

    def _points_left(self) -> deque[dict[str, Any]]:
        """Points of the grid that are neither finished, nor running, nor enqueued.

        One that failed in an earlier session is tried again.
        """
        self._failures.clear()
        taken = {
            trial.user_attrs.get("digest")
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state != TrialState.FAIL
        }
        points = grid_points(self._space)
        return deque(point for point in points if self._space.trial(point).digest not in taken)

    def _enqueue_point(self) -> bool:
        """Whether a point of the grid is waiting, or was left and waits now."""
        if self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            return True
        if not self._points:
            return False
        self._enqueue(self._points.popleft(), "search")
        return True

    def _issue(self, trial: Trial) -> Issued | None:
        # Drawing again from an old trial gives its old values, and draws what a kill left out.
        suggestion = suggest(self._space, trial)
        try:
            config = self._space.trial(suggestion)
        except ConfigError as error:
            self._refuse(trial, str(error))
            return None
        trial.set_user_attr("suggestion", json.dumps(suggestion))
        trial.set_user_attr("digest", config.digest)
        trial.set_user_attr("setting", config.setting)
        trial.set_user_attr("seed", config.seed)
        if (failures := self._failures[config.digest]) >= MAX_FAILURES_PER_CONFIG:
            self._refuse(trial, f"this setting failed {failures} times before; not tried again")
            return None
        self._live[trial.number] = trial
        return Issued(number=trial.number, config=config, suggestion=suggestion)

    def _refuse(self, trial: Trial, reason: str) -> None:
        trial.set_user_attr("refused", True)
        self._tell_failed(trial, reason)

    def _tell_failed(self, trial: Trial, reason: str) -> None:
        trial.set_user_attr("reason", reason)
        self._study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
