"""The ledger: which trials exist, which runs next, and how each one ended.

Its state is stored in an Optuna study. A trial is RUNNING from the time it is drawn until its end
is recorded, even if a process dies in between; the next session issues every RUNNING trial again.
Only a driver that holds the sweep's lock may open the ledger, or a trial would be issued twice. If
several drivers share a sweep, each decides only in its turn.
"""

import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager

from optuna.trial import Trial

from bearing_search.errors import ConfigError, SweepError
from bearing_search.measurement import Measurement
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.locking.drivers import Drivers, SingleDriver
from bearing_search.sweep.planning.config_index import MAX_FAILURES_PER_CONFIG, TrialKey
from bearing_search.sweep.planning.identity import Identity
from bearing_search.sweep.planning.required_trials import Refusal, ScheduledTrial, with_seed
from bearing_search.sweep.planning.shared_prefix import shared_prefix
from bearing_search.sweep.planning.sweep_state import SweepState
from bearing_search.sweep.study.param_encoding import encode, suggest
from bearing_search.sweep.study.pruners import told_to_pruner
from bearing_search.sweep.study.study import SweepStudy
from bearing_search.sweep.study.trial_records import purpose_of
from bearing_search.trial_history.records import TrialRecord

MAX_REDRAWS = 25
"""Consecutive suggestions that may be refused before the sweep gives up."""

MAX_REPEATS = 10
"""Consecutive redraws of duplicate suggestions; the next duplicate is copied."""

LOOK_EVERY_S = 0.5
"""Minimum seconds between two polls by an idle driver for work that another one has left."""


class Ledger:
    """The ledger of a sweep, opened for writing.

    Args:
        folder: folder of the sweep.
        drivers: this process among the drivers of the sweep; None: it is the only one.
        retries_failed: whether failed trials are retried, as new trials.

    Raises:
        SweepError: the study's database cannot be used.
    """

    def __init__(
        self,
        folder: SweepFolder,
        drivers: Drivers | None = None,
        *,
        retries_failed: bool = False,
    ) -> None:
        self._space = folder.space()
        self._record = folder.record
        self._drivers = drivers or SingleDriver()
        self._rests_until = 0.0
        with self._drivers.exclusive():
            self.study = SweepStudy(
                url=folder.storage_url,
                name=folder.study_name,
                space=self._space,
                record=self._record,
                seed_offset=self._drivers.seed_offset,
            )
            """The Optuna study that stores the ledger's state."""

            self._state = SweepState(
                self.study,
                self._drivers,
                self._space,
                self._record,
                retries_failed=retries_failed,
            )

    @property
    def is_done(self) -> bool:
        """Whether nothing runs and nothing is left to run."""
        if self._state.running:
            return False
        with self.turn():
            return self._state.is_done

    @property
    def why_done(self) -> str:
        """Why the sweep can be done below its target."""
        return self._state.why_done

    def records(self) -> list[TrialRecord]:
        """All trials, by number."""
        return self.study.trial_records()

    def begun(self) -> list[TrialRecord]:
        """Trials that were issued, except those that another driver is running."""
        away = self._state.running_elsewhere
        return [t for t in self.records() if t.state != "waiting" and t.number not in away]

    def close(self) -> None:
        """Close the database."""
        self.study.close()

    def turn(self) -> AbstractContextManager[None]:
        """Context in which no other driver decides, entered with their decisions up to date."""
        return self._state.turn()

    def next(self) -> ScheduledTrial | None:
        """The next trial to run; None if there is none at the moment.

        Raises:
            SweepError: MAX_REDRAWS suggestions in a row were invalid or had failed before.
        """
        if time.monotonic() < self._rests_until:
            return None
        with self.turn():
            scheduled = self._next()
        if scheduled is None and self._drivers.is_shared:
            self._rests_until = time.monotonic() + LOOK_EVERY_S
        return scheduled

    def _next(self) -> ScheduledTrial | None:
        refused = repeats = 0
        while refused < MAX_REDRAWS:
            drawn = self._draw()
            if drawn is None:
                return None
            trial, is_drawn = drawn
            self._state.claim(trial)
            scheduled = self._schedule(trial, may_redraw=is_drawn and repeats < MAX_REPEATS)
            if isinstance(scheduled, ScheduledTrial):
                return scheduled
            refused += scheduled == "refused"
            repeats = repeats + 1 if scheduled == "redrawn" else 0
        last = self.records()[-1]
        raise SweepError(
            f"the last {MAX_REDRAWS} suggestions had all failed before or were invalid; the last "
            f"one: {last.reason}. Widen the space, or fix the cause of the failures"
        )

    def report(self, number: int, measurement: Measurement) -> bool:
        """Report the last fold's score; returns whether to prune the trial (`search` ones only)."""
        told = told_to_pruner(measurement, self._record)
        if told is None or self._space.objective_spec.others:
            return False  # Optuna takes no intermediate values for several objectives
        trial = self._state.running[number]
        is_poor = self.study.should_prune(trial, *told)
        return is_poor and purpose_of(trial) == "search"

    def complete(
        self, number: int, value: float, measured: Mapping[str, float] | None = None
    ) -> str:
        """Record a trial's result; returns which constraints it violates."""
        judged = self._space.objective_spec.values_of(measured or {})
        with self._drivers.exclusive():
            trial = self._state.pop_running(number)
            self._state.finish(self.study.complete(trial, value, judged))
        return judged.text

    def prune(self, number: int) -> None:
        """Record that a trial was pruned; its intermediate value does not count as a score."""
        with self._drivers.exclusive():
            self._state.finish(self.study.prune(self._state.pop_running(number)))

    def fail(self, number: int, reason: str, trace: str) -> None:
        """Record that a trial failed, which frees its place in the target."""
        with self._drivers.exclusive():
            trial = self._state.pop_running(number)
            trial.set_user_attr("traceback", trace)
            self.study.fail(trial, reason)
            self._state.fail(trial)

    def retry(self, number: int, reason: str) -> int:
        """Issue a failed trial again, which stays RUNNING; returns the retry's number, 0: none."""
        trial = self._state.running[number]
        retry = self.study.retry(trial, reason, at_most=self._record.max_failures)
        if retry:
            self._state.requeue(number)
        return retry

    def release(self, number: int) -> None:
        """Forget a stopped trial: it stays RUNNING, to be issued again at `resume`."""
        self._state.release(number)

    def pop_copied(self) -> list[tuple[ScheduledTrial, TrialRecord]]:
        """Trials that have copied an earlier one's result since the last call."""
        return self._state.pop_copied()

    def _draw(self) -> tuple[Trial, bool] | None:
        """A trial to issue, and whether the sampler has just drawn it; None: nothing to issue."""
        if (orphan := self._state.pop_orphan()) is not None:
            return orphan, False
        if not self.study.is_waiting:
            required = self._state.next_required()
            if required is None and self._state.wants_draws:
                self.study.add_prior_trials(self._record.known, self._space)  # not before trial 0
                return self.study.ask(), True
            if required is None:
                return None
            seed = required.config(self._space).seed
            facts = {"purpose": required.purpose, "seed": seed, "appointed": True}
            more = {} if required.retry_of is None else {"retry_of": required.retry_of}
            self.study.enqueue(encode(self._space, required.suggestion), facts | more)
            self._state.pop_required(required)
        return self.study.ask(), False

    def _schedule(self, trial: Trial, *, may_redraw: bool) -> ScheduledTrial | Refusal:
        suggestion = suggest(self._space, trial)
        try:
            config = with_seed(self._space.trial(suggestion), trial.user_attrs.get("seed"))
        except ConfigError as error:
            self.study.refuse(trial, str(error))
            return "refused"
        # a trial that was started under other code keeps its identity
        identity = trial.user_attrs.get("identity") or Identity.of(config, self._record).digest
        digest, setting = self._record.config_digest(config), self._record.setting_digest(config)
        facts = {"digest": digest, "setting": setting, "seed": config.seed}
        prefix = shared_prefix(config)
        facts |= {"identity": identity, "prefix": prefix}
        self.study.set_attrs(trial, {"suggestion": json.dumps(suggestion), **facts})
        if (times := self._state.failures(digest)) >= MAX_FAILURES_PER_CONFIG:
            self.study.refuse(trial, f"this setting has failed {times} times; not tried again")
            return "refused"
        same = self._state.find_duplicate(identity)
        if same is not None:
            return self._repeat(trial, same, identity, may_redraw=may_redraw)
        self._state.begin(trial, TrialKey(digest, identity, prefix))
        return ScheduledTrial(
            number=trial.number,
            config=config,
            suggestion=suggestion,
            purpose=purpose_of(trial),
            identity=identity,
        )

    def _repeat(self, trial: Trial, number: int, identity: str, *, may_redraw: bool) -> Refusal:
        """Have another one drawn, or copy the result of the trial with the same identity."""
        if may_redraw:
            self.study.redraw(trial, f"same as trial {number}")
            return "redrawn"
        self._state.copy_or_wait(trial, number, identity)
        return "copied"
