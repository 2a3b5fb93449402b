"""State of a sweep in memory: ended trials, running ones here and elsewhere, and pending ones."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from optuna.trial import FrozenTrial, Trial

from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.locking.drivers import Drivers
from bearing_search.sweep.planning.config_index import ConfigIndex, TrialKey
from bearing_search.sweep.planning.duplicate_trials import DuplicateTrials
from bearing_search.sweep.planning.peers import PeerDrivers
from bearing_search.sweep.planning.required_trials import (
    RequiredTrial,
    RequiredTrialQueue,
    ScheduledTrial,
)
from bearing_search.sweep.planning.reuse_order import ReuseOrder
from bearing_search.sweep.planning.stagnation import StagnationTerminator
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.sweep.study.grid import all_digests
from bearing_search.sweep.study.samplers import sampler_spec
from bearing_search.sweep.study.study import SweepStudy
from bearing_search.sweep.study.trial_records import purpose_of, trial_record
from bearing_search.trial_history.records import COUNTED, TrialRecord


class SweepState:
    """The state by which the ledger decides. Create and query it only in a turn.

    Args:
        study: study of the sweep.
        drivers: this process among the drivers of the sweep.
        space: search space of the sweep.
        record: record of the sweep.
        retries_failed: whether failed trials are retried, as new trials.
    """

    def __init__(
        self,
        study: SweepStudy,
        drivers: Drivers,
        space: SearchSpace,
        record: SweepRecord,
        *,
        retries_failed: bool = False,
    ) -> None:
        self._study = study
        self._drivers = drivers
        self._record = record
        self._peers = PeerDrivers(study, drivers)
        records = study.trial_records()
        self._duplicates = DuplicateTrials(study, space)
        self._orphans = deque(() if drivers.is_shared else study.running())
        self._running: dict[int, Trial] = {}
        self._stagnation = StagnationTerminator(records, may_converge=record.stops_when_converged)
        self._config_index = ConfigIndex(records)
        self._is_exhaustive = sampler_spec(record.sampler).is_exhaustive
        if retries_failed or self._is_exhaustive:
            # a grid has no other points: `resume` tries the failed ones again
            self._config_index.reset_failures()
        self._points = all_digests(space, record.digest_scheme, at_most=2 * record.target)
        reuse_order = ReuseOrder(self._config_index)
        self._required = RequiredTrialQueue(space, record, self._config_index, reuse_order)
        if retries_failed:
            self._required.add_retries(records)

    @property
    def running(self) -> Mapping[int, Trial]:
        """Number -> trial that this driver is running."""
        return self._running

    @property
    def running_elsewhere(self) -> Mapping[int, TrialKey]:
        """Number -> key of each trial that another driver was running at the last poll."""
        return self._peers.running

    @property
    def is_done(self) -> bool:
        """Whether no trial is running, here or elsewhere, and none is left to run."""
        return self._is_idle and self.next_required() is None and not self.wants_draws

    @property
    def wants_draws(self) -> bool:
        """Whether to ask the sampler: not in a grid, nor once converged or all points are tried."""
        is_tried = self._points is not None and self._config_index.contains_all(self._points)
        is_over = is_tried or self._stagnation.converged or self._is_exhaustive
        return self._room > 0 and not is_over

    @property
    def why_done(self) -> str:
        """Why the sweep can be done below its target."""
        return self._stagnation.converged or "nothing is left to try"

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Context in which no other driver decides, entered with their decisions up to date."""
        with self._drivers.exclusive():
            update = self._peers.poll()
            self._orphans.extend(update.orphans)
            self._config_index.elsewhere = self._peers.running
            for trial in update.ended:
                self._on_peer_end(trial)
            yield

    def next_required(self) -> RequiredTrial | None:
        """The next required trial; finalists are queued once all else is over."""
        found = self._required.next_pending(room=self._room)
        if found is not None or not self._is_idle or self.wants_draws:
            return found
        is_new = self._required.add_final_trials(self._study.trial_records())
        return self._required.next_pending(room=self._room) if is_new else None

    def pop_required(self, required: RequiredTrial) -> None:
        """Remove a required trial, which has been enqueued in the study."""
        self._required.pop(required)

    def pop_orphan(self) -> Trial | None:
        """A trial that is RUNNING in the study but that no driver is running; None: none."""
        return self._orphans.popleft() if self._orphans else None

    def claim(self, trial: Trial) -> None:
        """Record in the study that this driver runs a trial."""
        self._peers.claim(trial)

    def failures(self, digest: str) -> int:
        """Number of times that a config has failed."""
        return self._config_index.failures(digest)

    def find_duplicate(self, identity: str) -> int | None:
        """Number of the running or finished trial with that identity; None: there is none."""
        return self._config_index.find_duplicate(identity)

    def begin(self, trial: Trial, key: TrialKey) -> None:
        """Record that a trial is issued."""
        self._config_index.begin(trial.number, key)
        self._running[trial.number] = trial

    def copy_or_wait(self, trial: Trial, number: int, identity: str) -> None:
        """End a trial with the result of its duplicate, now or when that one ends."""
        source = self._config_index.sources.get(identity)
        if source is not None:
            self._stagnation.add(self._duplicates.copy_end(trial, source))
        else:
            self._duplicates.wait_for(trial, number)

    def pop_running(self, number: int) -> Trial:
        """Remove and return a running trial, whose end is to be recorded."""
        return self._running.pop(number)

    def finish(self, record: TrialRecord) -> None:
        """Record that a trial ended as complete or pruned, and end its waiting duplicates."""
        self._config_index.finish(record)
        for ended in (record, *self._duplicates.on_finish(record)):
            self._stagnation.add(ended)

    def fail(self, trial: Trial | FrozenTrial) -> None:
        """Record that a trial failed: its duplicates are redrawn; a required trial is requeued."""
        self._duplicates.on_failure(trial.number)
        facts = trial.user_attrs
        self._config_index.fail(trial.number, facts["digest"])
        if "appointed" in facts and "retry_of" not in facts:
            self._required.requeue(RequiredTrial.of(facts))

    def requeue(self, number: int) -> None:
        """Issue a running trial again in this session."""
        self._orphans.append(self._running.pop(number))
        self._config_index.release(number)

    def release(self, number: int) -> None:
        """Record that a trial was stopped, to be issued again in a later session."""
        del self._running[number]
        self._config_index.release(number)
        self._duplicates.on_stop(number)

    def pop_copied(self) -> list[tuple[ScheduledTrial, TrialRecord]]:
        """Trials that have copied an earlier one's result since the last call."""
        return self._duplicates.pop_copied()

    @property
    def _is_idle(self) -> bool:
        own = self._running or self._duplicates.num_waiting or self._orphans
        return not (own or self._peers.running or self._study.is_waiting)

    @property
    def _room(self) -> int:
        """Number of trials that the target still allows."""
        running = sum(purpose_of(trial) in COUNTED for trial in self._running.values())
        waiting = self._duplicates.num_waiting + self._peers.num_counted
        return self._record.target - self._stagnation.num_finished - running - waiting

    def _on_peer_end(self, trial: FrozenTrial) -> None:
        record = trial_record(trial)
        if record.state != "failed":
            self.finish(record)
        elif not record.is_refused:
            self.fail(trial)
