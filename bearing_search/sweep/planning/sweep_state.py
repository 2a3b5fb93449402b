"""How a sweep stands: what has ended, what runs, here and elsewhere, and what is still wanted."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.trial import FrozenTrial, Trial

from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.locking.drivers import Drivers, SingleDriver
from bearing_search.sweep.planning.config_index import ConfigIndex
from bearing_search.sweep.planning.duplicates import DuplicateTrials
from bearing_search.sweep.planning.peers import PeerDrivers
from bearing_search.sweep.planning.required_trials import RequiredTrial, RequiredTrialQueue
from bearing_search.sweep.planning.reuse_order import ReuseOrder
from bearing_search.sweep.planning.stagnation import StagnationTerminator
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.sweep.study.grid import all_digests
from bearing_search.sweep.study.samplers import sampler_spec
from bearing_search.sweep.study.study import SweepStudy
from bearing_search.sweep.study.trial_records import purpose_of, trial_record
from bearing_search.trial_history.records import COUNTED, TrialRecord


class SweepState:
    """What the ledger decides by.

    Args:
        url, name: SQLAlchemy URL of the study's database, and its name there.
        space: what is drawn.
        record: of the sweep.
        drivers: this process among those that hold the sweep.
        retries_failed: whether trials that failed have another go, as trials of their own.
    """

    def __init__(
        self,
        *,
        url: str,
        name: str,
        space: SearchSpace,
        record: SweepRecord,
        drivers: Drivers | None = None,
        retries_failed: bool = False,
    ) -> None:
        self._space = space
        self._record = record
        self._drivers = drivers or SingleDriver()
        with self._drivers.exclusive():
            self._study = SweepStudy(
                url=url,
                name=name,
                space=space,
                record=record,
                salt=self._drivers.salt,
            )
            self._peers = PeerDrivers(self._study, self._drivers)
            records = self._study.trial_records()
        self._duplicates = DuplicateTrials(self._study, space)
        self._orphans = deque(() if self._drivers.is_shared else self._study.running())
        self._running: dict[int, Trial] = {}
        self._stagnation = StagnationTerminator(records, may_converge=record.stops_when_converged)
        self._config_index = ConfigIndex(records)
        self._is_exhaustive = sampler_spec(record.sampler).is_exhaustive
        if retries_failed or self._is_exhaustive:
            # its points are all there is: `resume` tries them again
            self._config_index.reset_failures()
        self._points = all_digests(space, record.digest_scheme, at_most=2 * record.target)
        reuse_order = ReuseOrder(self._config_index)
        self._required = RequiredTrialQueue(space, record, self._config_index, reuse_order)
        if retries_failed:
            self._required.add_retries(records)

    @property
    def is_done(self) -> bool:
        """Whether nothing runs and nothing is left to run."""
        if self._running:
            return False
        with self.turn():
            return self._is_idle and self._pending() is None and not self._wants_draws

    @property
    def why_done(self) -> str:
        """Why a sweep that is done may have stayed below its target."""
        return self._stagnation.converged or "nothing is left to try"

    def records(self) -> list[TrialRecord]:
        """All trials, by number."""
        return self._study.trial_records()

    def begun(self) -> list[TrialRecord]:
        """Trials that were handed out, less those that another driver runs now."""
        away = self._peers.running
        return [t for t in self.records() if t.state != "waiting" and t.number not in away]

    def close(self) -> None:
        """Let go of the database."""
        self._study.close()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """No other driver decides anything meanwhile, and what they have decided is known."""
        with self._drivers.exclusive():
            update = self._peers.poll()
            self._orphans.extend(update.orphans)
            self._config_index.elsewhere = self._peers.running
            for trial in update.ended:
                self._hear(trial)
            yield

    def _hear(self, trial: FrozenTrial) -> None:
        record = trial_record(trial)
        if record.state != "failed":
            self._finish(record)
        elif not record.is_refused:
            self._lose(trial)

    @property
    def _is_idle(self) -> bool:
        own = self._running or self._duplicates.num_waiting or self._orphans
        return not (own or self._peers.running or self._study.is_waiting)

    @property
    def _room(self) -> int:
        """How many more trials may count towards the target."""
        running = sum(purpose_of(trial) in COUNTED for trial in self._running.values())
        waiting = self._duplicates.num_waiting + self._peers.num_counted
        return self._record.target - self._stagnation.num_finished - running - waiting

    @property
    def _wants_draws(self) -> bool:
        """Whether to ask the sampler: not for a grid, nor when every point had its turn."""
        is_tried = self._points is not None and self._config_index.contains_all(self._points)
        is_over = is_tried or self._stagnation.converged or self._is_exhaustive
        return self._room > 0 and not is_over

    def _pending(self) -> RequiredTrial | None:
        """The next required trial; the finalists' are made when all else is over."""
        found = self._required.next_pending(room=self._room)
        if found is not None or not self._is_idle or self._wants_draws:
            return found
        is_new = self._required.add_final_trials(self.records())
        return self._required.next_pending(room=self._room) if is_new else None

    def _lose(self, trial: Trial | FrozenTrial) -> None:
        self._duplicates.on_failure(trial.number)
        facts = trial.user_attrs
        self._config_index.fail(trial.number, facts["digest"])
        if "appointed" in facts and "retry_of" not in facts:
            self._required.requeue(RequiredTrial.of(facts))

    def _finish(self, record: TrialRecord) -> None:
        self._config_index.finish(record)
        for ended in (record, *self._duplicates.on_finish(record)):
            self._stagnation.add(ended)
