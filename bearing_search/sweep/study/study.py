"""Wraps a sweep's Optuna study: draws, enqueues and records trials, but makes no decisions."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from bearing_search.search_space.objectives import ObjectiveSpec, ObjectiveValues
from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.record.sweep_record import PriorTrial, SweepRecord
from bearing_search.sweep.study._vendor import reopened, reported_values, storage_of, study_over
from bearing_search.sweep.study.filtered_storage import FilteredStorage
from bearing_search.sweep.study.param_encoding import FixedParams, encode, suggest
from bearing_search.sweep.study.pruners import pruner_of
from bearing_search.sweep.study.samplers import make_sampler
from bearing_search.sweep.study.storage import open_storage, storage_errors
from bearing_search.sweep.study.trial_records import KNOWN, REDRAWN, trial_record, trial_records
from bearing_search.trial_history.records import TrialRecord


class SweepStudy:
    """An Optuna study with its sampler and pruner.

    Args:
        url: SQLAlchemy URL; sqlite is switched to WAL mode, so that readers do not lock it.
        name: name of the study in that database.
        space: search space to draw from.
        record: provides seed, sampler and pruner. The number of trials is mixed into the seed:
            reopening with the same seed would draw the same start-up trials again.
        seed_offset: also mixed into the seed, so that concurrent drivers draw different trials.
    """

    def __init__(
        self,
        *,
        url: str,
        name: str,
        space: SearchSpace,
        record: SweepRecord,
        seed_offset: int = 0,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with storage_errors(url):
            self._storage = open_storage(url)
            self._all = optuna.create_study(
                storage=self._storage,
                study_name=name,
                load_if_exists=True,
                directions=_directions(space.objective_spec),
            )
            self._goals = space.objective_spec
            trials = self._all.get_trials(deepcopy=False)
            seed = (record.seed * 1_000_003 + len(trials) + seed_offset) % 2**32
            self._veiled = study_over(
                FilteredStorage(storage_of(self._all)),
                name,
                sampler=make_sampler(record.sampler, seed, space),
                pruner=pruner_of(record.pruner),
            )

    def running(self) -> Sequence[Trial]:
        """RUNNING trials: at the start of a session, those that an earlier session left.

        Suggesting from one of them again returns its old values, and draws any that are missing.
        """
        return self.to_resume(t for t in self.frozen_trials() if t.state == TrialState.RUNNING)

    def frozen_trials(self) -> list[FrozenTrial]:
        """All trials as Optuna's FrozenTrials."""
        return self._all.get_trials(deepcopy=False)

    def to_resume(self, left: Iterable[FrozenTrial]) -> list[Trial]:
        """Reopen RUNNING trials to resume them; those marked as redrawn are failed instead."""
        trials = [reopened(self._veiled, trial) for trial in left]
        for trial in trials:
            if REDRAWN in trial.user_attrs:
                self._veiled.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
        return [trial for trial in trials if REDRAWN not in trial.user_attrs]

    @property
    def is_waiting(self) -> bool:
        """Whether trials are enqueued, which `ask` returns first."""
        return bool(self._all.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def enqueue(self, params: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Enqueue settings for the next `ask` in the study, where they survive a kill."""
        self._all.enqueue_trial(dict(params), user_attrs=dict(facts))

    def add_prior_trials(self, points: Sequence[PriorTrial], space: SearchSpace) -> None:
        """Add the trials of an earlier sweep for the sampler, each exactly once despite kills."""
        there = {trial.user_attrs.get(KNOWN) for trial in self._all.get_trials(deepcopy=False)}
        for point in points:
            if point.source in there:
                continue
            replay = FixedParams(encode(space, point.suggestion))
            suggest(space, replay)
            judged = self._goals.values_of(point.measured)
            trial = optuna.trial.create_trial(
                params=encode(space, point.suggestion),
                distributions=replay.distributions,
                values=self._values(point.value, judged),
                user_attrs={KNOWN: point.source},
            )
            for constraint, share in judged.missed.items():
                trial.set_constraint(constraint, share)
            self._all.add_trial(trial)

    def ask(self) -> Trial:
        """Create a trial, which is RUNNING from now on."""
        return self._veiled.ask()

    def set_attrs(self, trial: Trial, facts: Mapping[str, Any]) -> None:
        """Set user attributes of a trial."""
        for name, value in facts.items():
            trial.set_user_attr(name, value)

    def should_prune(self, trial: Trial, value: float, step: int) -> bool:
        """Report a value, each step once; returns whether the pruner would prune the trial."""
        if step not in reported_values(self._veiled, trial):
            trial.report(value, step)
        return bool(trial.should_prune())  # the median pruner returns a NumPy bool

    def complete(self, trial: Trial, value: float, judged: ObjectiveValues) -> TrialRecord:
        """Record objectives and constraint violations; returns the trial's record."""
        if judged.text and "reason" not in trial.user_attrs:
            trial.set_user_attr("reason", judged.text)
        trial.set_user_attr("scores", json.dumps(dict(judged.scores)))
        for constraint, share in judged.missed.items():
            if constraint not in trial.constraints:  # a killed driver may have set it already
                trial.set_constraint(constraint, share)
        values = self._values(value, judged)
        return trial_record(self._veiled.tell(trial, values, skip_if_finished=True))

    def prune(self, trial: Trial) -> TrialRecord:
        """Record that a trial was pruned; returns its record."""
        state = TrialState.PRUNED
        return trial_record(self._veiled.tell(trial, state=state, skip_if_finished=True))

    def copy(self, trial: Trial, source: TrialRecord) -> TrialRecord:
        """End a trial with the result of another one of the same config; returns its record."""
        trial.set_user_attr("same_as", source.number)
        also = f", which {source.judged.text}" if source.judged.text else ""
        trial.set_user_attr("reason", f"same as trial {source.number}{also}")
        if source.value is None:
            return self.prune(trial)
        return self.complete(trial, source.value, source.judged)

    def retry(self, trial: Trial, reason: str, *, at_most: int) -> int:
        """Record that a failed trial is run again; returns the retry's number, 0: too many."""
        retry = int(trial.user_attrs.get("retries", 0)) + 1
        if retry > at_most:
            return 0
        self.set_attrs(trial, {"retries": retry, "last_failure": reason})
        return retry

    def fail(self, trial: Trial, reason: str) -> None:
        """Record that a trial failed, and why."""
        trial.set_user_attr("reason", reason)
        self._veiled.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def refuse(self, trial: Trial, reason: str) -> None:
        """Record that a trial cannot be run."""
        trial.set_user_attr("refused", True)
        self.fail(trial, reason)

    def redraw(self, trial: Trial, reason: str) -> None:
        """Record that a trial is replaced by another draw."""
        trial.set_user_attr(REDRAWN, True)
        self.fail(trial, reason)

    def trial_records(self) -> list[TrialRecord]:
        """Records of all trials, by number."""
        return trial_records(self._all)

    def close(self) -> None:
        """Close the database connections."""
        self._storage.engine.dispose()

    def _values(self, value: float, judged: ObjectiveValues) -> list[float]:
        return [value, *(judged.scores[one.metric] for one in self._goals.others)]


def _directions(objective_spec: ObjectiveSpec) -> list[StudyDirection]:
    return [
        StudyDirection.MAXIMIZE if one.direction == "max" else StudyDirection.MINIMIZE
        for one in objective_spec.objectives
    ]
