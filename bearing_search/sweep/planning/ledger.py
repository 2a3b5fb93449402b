"""The ledger: which trials exist, what is to run next, and how each trial ended.

Its memory is an Optuna study. A trial is RUNNING from the moment it is drawn until its end is told,
whatever dies in between; then every RUNNING trial is issued again. Only who holds the sweep may
open a ledger, or a trial would be issued twice; of several drivers, only who has the turn decides.
"""

import json
import time
from collections.abc import Mapping

from optuna.trial import Trial

from bearing_search.errors import ConfigError, SweepError
from bearing_search.measurement import Measurement
from bearing_search.sweep.planning.config_index import MAX_FAILURES_PER_CONFIG, TrialKey
from bearing_search.sweep.planning.identity import Identity
from bearing_search.sweep.planning.required_trials import Refusal, ScheduledTrial, with_seed
from bearing_search.sweep.planning.shared_prefix import shared_prefix
from bearing_search.sweep.planning.sweep_state import SweepState
from bearing_search.sweep.study.param_encoding import encode, suggest
from bearing_search.sweep.study.pruners import told_to_pruner
from bearing_search.sweep.study.trial_records import purpose_of
from bearing_search.trial_history.records import TrialRecord

MAX_REDRAWS = 25
"""Suggestions in a row that may be refused before the sweep gives up."""

MAX_REPEATS = 10
"""So often in a row a suggestion that was made before is drawn anew; then its end is copied."""

LOOK_EVERY_S = 0.5
"""How often a driver with nothing to do looks whether another has left something, at most."""


class Ledger(SweepState):
    """The decisions of one sweep, opened for writing; see `SweepState` for its arguments."""

    _rests_until = 0.0

    def next(self) -> ScheduledTrial | None:
        """The next trial to run; None where those that run may be the last.

        Raises:
            SweepError: every new suggestion is one that failed before, or impossible.
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
            self._peers.claim(trial)
            scheduled = self._schedule(trial, may_redraw=is_drawn and repeats < MAX_REPEATS)
            if isinstance(scheduled, ScheduledTrial):
                return scheduled
            refused += scheduled == "refused"
            repeats = repeats + 1 if scheduled == "redrawn" else 0
        last = self.records()[-1]
        raise SweepError(
            f"the last {MAX_REDRAWS} suggestions had all failed before or were impossible; the "
            f"last: {last.reason}. Widen the space, or mend what makes its trials fail"
        )

    def report(self, number: int, measurement: Measurement) -> bool:
        """Note how the last fold went; whether the trial should end as pruned: only drawn ones."""
        told = told_to_pruner(measurement, self._record)
        if told is None or self._space.objective_spec.others:
            return False  # of several objectives Optuna takes no intermediate values
        trial = self._running[number]
        is_poor = self._study.should_prune(trial, *told)
        return is_poor and purpose_of(trial) == "search"

    def complete(
        self, number: int, value: float, measured: Mapping[str, float] | None = None
    ) -> str:
        """Tell what a trial has reached; returns which constraints it misses."""
        judged = self._space.objective_spec.values_of(measured or {})
        with self._drivers.exclusive():
            self._finish(self._study.complete(self._running.pop(number), value, judged))
        return judged.text

    def prune(self, number: int) -> None:
        """Tell that a trial was ended early; its partial value is no value."""
        with self._drivers.exclusive():
            self._finish(self._study.prune(self._running.pop(number)))

    def fail(self, number: int, reason: str, trace: str) -> None:
        """Tell that a trial gave no score; its slot is free again."""
        with self._drivers.exclusive():
            trial = self._running.pop(number)
            trial.set_user_attr("traceback", trace)
            self._study.fail(trial, reason)
            self._lose(trial)

    def retry(self, number: int, reason: str) -> int:
        """Let a failed trial be issued again, RUNNING till then; which retry it is, 0: none."""
        retry = self._study.retry(self._running[number], reason, at_most=self._record.max_failures)
        if retry:
            trial = self._running.pop(number)
            self._config_index.release(number)
            self._orphans.append(trial)
        return retry

    def release(self, number: int) -> None:
        """Forget a trial that was stopped: it stays RUNNING, to be issued again at resume."""
        del self._running[number]
        self._config_index.release(number)
        self._duplicates.on_stop(number)

    def pop_copied(self) -> list[tuple[ScheduledTrial, TrialRecord]]:
        """Trials that were told an earlier one's end, since the last time of asking."""
        return self._duplicates.pop_copied()

    def _draw(self) -> tuple[Trial, bool] | None:
        """A trial to issue, and whether the sampler has just drawn it."""
        if self._orphans:
            return self._orphans.popleft(), False
        if not self._study.is_waiting:
            required = self._pending()
            if required is None and self._wants_draws:
                self._study.add_prior_trials(self._record.known, self._space)  # not before trial 0
                return self._study.ask(), True
            if required is None:
                return None
            seed = required.config(self._space).seed
            facts = {"purpose": required.purpose, "seed": seed, "appointed": True}
            more = {} if required.retry_of is None else {"retry_of": required.retry_of}
            self._study.enqueue(encode(self._space, required.suggestion), facts | more)
            self._required.pop(required)
        return self._study.ask(), False

    def _schedule(self, trial: Trial, *, may_redraw: bool) -> ScheduledTrial | Refusal:
        suggestion = suggest(self._space, trial)
        try:
            config = with_seed(self._space.trial(suggestion), trial.user_attrs.get("seed"))
        except ConfigError as error:
            self._study.refuse(trial, str(error))
            return "refused"
        # a trial that was begun under other code keeps the name that it began with
        identity = trial.user_attrs.get("identity") or Identity.of(config, self._record).digest
        digest, setting = self._record.config_digest(config), self._record.setting_digest(config)
        facts = {"digest": digest, "setting": setting, "seed": config.seed}
        prefix = shared_prefix(config)
        facts |= {"identity": identity, "prefix": prefix}
        self._study.set_attrs(trial, {"suggestion": json.dumps(suggestion), **facts})
        if (times := self._config_index.failures(digest)) >= MAX_FAILURES_PER_CONFIG:
            self._study.refuse(trial, f"this setting failed {times} times before; not tried again")
            return "refused"
        same = self._config_index.find_duplicate(identity)
        if same is not None:
            return self._repeat(trial, same, identity, may_redraw=may_redraw)
        self._config_index.begin(trial.number, TrialKey(digest, identity, prefix))
        self._running[trial.number] = trial
        return ScheduledTrial(
            number=trial.number,
            config=config,
            suggestion=suggestion,
            purpose=purpose_of(trial),
            identity=identity,
        )

    def _repeat(self, trial: Trial, number: int, identity: str, *, may_redraw: bool) -> Refusal:
        """Draw another one, or end as the first trial of the same identity did, or will."""
        if may_redraw:
            self._study.redraw(trial, f"same as trial {number}")
            return "redrawn"
        if identity in self._config_index.sources:
            self._stagnation.add(
                self._duplicates.copy_end(trial, self._config_index.sources[identity])
            )
        else:
            self._duplicates.wait_for(trial, number)
        return "copied"
