"""The Optuna study of a sweep, opened for writing: draws, queues and records; decides nothing."""

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
    """A study and its sampler.

    Args:
        url: SQLAlchemy URL; sqlite is put into WAL mode, so that readers do not lock it.
        name: of the study inside that database.
        space: what is drawn.
        record: its seed, sampler and pruner. The seed is mixed with the number of trials: reopening
            with the same seed would draw the same start-up points again.
        seed_offset: also mixed into it: drivers that open a study together must not draw the same.
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
        """Trials that are RUNNING: when a session begins, those that an earlier one has left.

        Suggesting again from one of them gives its old values, and draws what a kill left out.
        """
        return self.to_resume(t for t in self.frozen_trials() if t.state == TrialState.RUNNING)

    def frozen_trials(self) -> list[FrozenTrial]:
        """All trials as Optuna has them."""
        return self._all.get_trials(deepcopy=False)

    def to_resume(self, left: Iterable[FrozenTrial]) -> list[Trial]:
        """RUNNING trials, to go on with; what was to be drawn anew is not among them."""
        trials = [reopened(self._veiled, trial) for trial in left]
        for trial in trials:
            if REDRAWN in trial.user_attrs:
                self._veiled.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
        return [trial for trial in trials if REDRAWN not in trial.user_attrs]

    @property
    def is_waiting(self) -> bool:
        """Whether something is enqueued, so that it is what `ask` gives."""
        return bool(self._all.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def enqueue(self, params: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Queue settings for the next `ask`, in the study, so that no kill loses them."""
        self._all.enqueue_trial(dict(params), user_attrs=dict(facts))

    def add_prior_trials(self, points: Sequence[PriorTrial], space: SearchSpace) -> None:
        """Add the points of an earlier sweep for the sampler, each once whatever is killed."""
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
        """A new trial, RUNNING from now on."""
        return self._veiled.ask()

    def set_attrs(self, trial: Trial, facts: Mapping[str, Any]) -> None:
        """Keep facts about a trial."""
        for name, value in facts.items():
            trial.set_user_attr(name, value)

    def should_prune(self, trial: Trial, value: float, step: int) -> bool:
        """Record a value, each step once; returns whether the pruner would end the trial."""
        if step not in reported_values(self._veiled, trial):
            trial.report(value, step)
        return bool(trial.should_prune())  # NumPy's, of the median

    def complete(self, trial: Trial, value: float, judged: ObjectiveValues) -> TrialRecord:
        """Record the objectives, and how the constraints were kept; returns the trial's record."""
        if judged.text and "reason" not in trial.user_attrs:
            trial.set_user_attr("reason", judged.text)
        trial.set_user_attr("scores", json.dumps(dict(judged.scores)))
        for constraint, share in judged.missed.items():
            if constraint not in trial.constraints:  # a killed driver may have got so far
                trial.set_constraint(constraint, share)
        values = self._values(value, judged)
        return trial_record(self._veiled.tell(trial, values, skip_if_finished=True))

    def prune(self, trial: Trial) -> TrialRecord:
        """Record that a trial was ended early."""
        state = TrialState.PRUNED
        return trial_record(self._veiled.tell(trial, state=state, skip_if_finished=True))

    def copy(self, trial: Trial, source: TrialRecord) -> TrialRecord:
        """End a trial as another one of the same config has ended."""
        trial.set_user_attr("same_as", source.number)
        also = f", which {source.judged.text}" if source.judged.text else ""
        trial.set_user_attr("reason", f"same as trial {source.number}{also}")
        if source.value is None:
            return self.prune(trial)
        return self.complete(trial, source.value, source.judged)

    def retry(self, trial: Trial, reason: str, *, at_most: int) -> int:
        """Note that a trial failed and is run again; which retry it is, 0: there were too many."""
        retry = int(trial.user_attrs.get("retries", 0)) + 1
        if retry > at_most:
            return 0
        self.set_attrs(trial, {"retries": retry, "last_failure": reason})
        return retry

    def fail(self, trial: Trial, reason: str) -> None:
        """Record that a trial gave no score, and why."""
        trial.set_user_attr("reason", reason)
        self._veiled.tell(trial, state=TrialState.FAIL, skip_if_finished=True)

    def refuse(self, trial: Trial, reason: str) -> None:
        """Record that a trial cannot be run."""
        trial.set_user_attr("refused", True)
        self.fail(trial, reason)

    def redraw(self, trial: Trial, reason: str) -> None:
        """Record that another trial is drawn instead."""
        trial.set_user_attr(REDRAWN, True)
        self.fail(trial, reason)

    def trial_records(self) -> list[TrialRecord]:
        """All trials, by number."""
        return trial_records(self._all)

    def close(self) -> None:
        """Let go of the database."""
        self._storage.engine.dispose()

    def _values(self, value: float, judged: ObjectiveValues) -> list[float]:
        return [value, *(judged.scores[one.metric] for one in self._goals.others)]


def _directions(objective_spec: ObjectiveSpec) -> list[StudyDirection]:
    return [
        StudyDirection.MAXIMIZE if one.direction == "max" else StudyDirection.MINIMIZE
        for one in objective_spec.objectives
    ]
