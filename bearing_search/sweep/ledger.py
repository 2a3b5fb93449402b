"""The ledger: which trials exist, what is to run next, and how each trial ended.

Its memory is an Optuna study. A trial is RUNNING from the moment it is drawn until its end is told,
whatever dies in between; at the next start every RUNNING trial is issued again. Only the holder of
the sweep's lock may open a ledger, or a trial would be issued twice.
"""

import json
from collections import deque
from collections.abc import Mapping

from optuna.trial import Trial

from bearing_search.errors import ConfigError, SweepError
from bearing_search.measurement import Measurement
from bearing_search.observer import COUNTED, TrialRecord
from bearing_search.space import SearchSpace
from bearing_search.sweep.appointments import Agenda, Appointment, Issued, Refusal, with_seed
from bearing_search.sweep.course import Course
from bearing_search.sweep.fates import MAX_FAILURES_PER_CONFIG, Fates
from bearing_search.sweep.grid import all_digests
from bearing_search.sweep.record import SweepRecord
from bearing_search.sweep.samplers import told_to_pruner
from bearing_search.sweep.study import SweepStudy
from bearing_search.sweep.suggestions import encode, suggest
from bearing_search.sweep.trials import purpose_of

MAX_REDRAWS = 25
"""Suggestions in a row that may be refused before the sweep gives up."""

MAX_REPEATS = 10
"""So often in a row a suggestion that was made before is drawn anew; then its end is copied."""


class Ledger:
    """The decisions of one sweep, opened for writing.

    Args:
        url, name: SQLAlchemy URL of the study's database, and its name there.
        space: what is drawn.
        record: of the sweep.
        retries_failed: whether trials that failed have another go, as trials of their own.
    """

    def __init__(
        self,
        *,
        url: str,
        name: str,
        space: SearchSpace,
        record: SweepRecord,
        retries_failed: bool = False,
    ) -> None:
        self._space = space
        self._record = record
        self._study = SweepStudy(url=url, name=name, space=space, record=record)
        records = self._study.records()
        self._orphans = deque(self._study.running())
        self._live: dict[int, Trial] = {}
        self._twins: dict[int, list[Trial]] = {}  # running trial -> draws of the same config
        self._copies: list[TrialRecord] = []
        self._course = Course(records, may_converge=record.stops_when_converged)
        self._fates = Fates(records)
        if retries_failed or record.sampler == "grid":
            self._fates.forgive()  # its points are all there is: `resume` tries them again
        self._points = all_digests(space, at_most=2 * record.target)
        self._agenda = Agenda(space, record, self._fates)
        if retries_failed:
            self._agenda.retry(records)

    @property
    def is_done(self) -> bool:
        """Whether nothing runs and nothing is left to run."""
        return self._is_idle and self._pending() is None and not self._wants_draws

    @property
    def why_done(self) -> str:
        """Why a sweep that is done may have stayed below its target."""
        return self._course.converged or "nothing is left to try"

    def next(self) -> Issued | None:
        """The next trial to run; None where those that run may be the last.

        Raises:
            SweepError: every new suggestion is one that failed before, or impossible.
        """
        refused = repeats = 0
        while refused < MAX_REDRAWS:
            drawn = self._draw()
            if drawn is None:
                return None
            trial, is_drawn = drawn
            issued = self._issue(trial, may_redraw=is_drawn and repeats < MAX_REPEATS)
            if isinstance(issued, Issued):
                return issued
            refused += issued == "refused"
            repeats = repeats + 1 if issued == "redrawn" else 0
        last = self.records()[-1]
        raise SweepError(
            f"the last {MAX_REDRAWS} suggestions had all failed before or were impossible; the "
            f"last: {last.reason}. Widen the space, or mend what makes its trials fail"
        )

    def report(self, number: int, measurement: Measurement) -> bool:
        """Note how the last fold went; whether the trial should end as pruned: only drawn ones."""
        told = told_to_pruner(measurement, self._record)
        if told is None or self._space.goals.others:
            return False  # of several objectives Optuna takes no intermediate values
        trial = self._live[number]
        is_poor = self._study.should_prune(trial, *told)
        return is_poor and purpose_of(trial) == "search"

    def complete(
        self, number: int, value: float, measured: Mapping[str, float] | None = None
    ) -> str:
        """Tell what a trial has reached; returns which constraints it misses."""
        judged = self._space.goals.judge(measured or {})
        self._finish(self._study.complete(self._live.pop(number), value, judged))
        return judged.text

    def prune(self, number: int) -> None:
        """Tell that a trial was ended early; its partial value is no value."""
        self._finish(self._study.prune(self._live.pop(number)))

    def fail(self, number: int, reason: str, trace: str) -> None:
        """Tell that a trial gave no score; its slot is free again."""
        trial = self._live.pop(number)
        trial.set_user_attr("traceback", trace)
        self._study.fail(trial, reason)
        for twin in self._twins.pop(number, []):
            self._study.redraw(twin, f"same as trial {number}, which failed")
        facts = trial.user_attrs
        self._fates.fail(facts["digest"])
        if "appointed" in facts and "retry_of" not in facts:
            self._agenda.again(Appointment.of(facts))

    def retry(self, number: int, reason: str) -> int:
        """Let a failed trial be issued again, RUNNING till then; which retry it is, 0: none."""
        retry = self._study.retry(self._live[number], reason, at_most=self._record.max_failures)
        if retry:
            trial = self._live.pop(number)
            self._fates.leave(trial.user_attrs["digest"])
            self._orphans.append(trial)
        return retry

    def leave(self, number: int) -> None:
        """Forget a trial that was stopped: it stays RUNNING, to be issued again at resume."""
        self._fates.leave(self._live.pop(number).user_attrs["digest"])
        self._twins.pop(number, None)

    def take_copies(self) -> list[tuple[Issued, TrialRecord]]:
        """Trials that were told an earlier one's end, since the last time of asking."""
        copies, self._copies = self._copies, []
        return [(Issued.copied(copy, self._space), copy) for copy in copies]

    def records(self) -> list[TrialRecord]:
        """All trials, by number."""
        return self._study.records()

    def close(self) -> None:
        """Let go of the database."""
        self._study.close()

    @property
    def _is_idle(self) -> bool:
        return not (self._live or self._twins or self._orphans or self._study.is_waiting)

    @property
    def _room(self) -> int:
        """How many more trials may count towards the target."""
        running = sum(purpose_of(trial) in COUNTED for trial in self._live.values())
        twins = sum(map(len, self._twins.values()))
        return self._record.target - self._course.num_finished - running - twins

    @property
    def _wants_draws(self) -> bool:
        """Whether the sampler is to be asked: not for a grid, nor when every point had its turn."""
        is_tried = self._points is not None and self._fates.have_all(self._points)
        is_over = is_tried or self._course.converged or self._record.sampler == "grid"
        return self._room > 0 and not is_over

    def _pending(self) -> Appointment | None:
        """The next appointment; the finalists' are made when all else is over."""
        found = self._agenda.pending(room=self._room)
        if found is not None or not self._is_idle or self._wants_draws:
            return found
        is_new = self._agenda.close(self.records())
        return self._agenda.pending(room=self._room) if is_new else None

    def _draw(self) -> tuple[Trial, bool] | None:
        """A trial to issue, and whether the sampler has just drawn it."""
        if self._orphans:
            return self._orphans.popleft(), False
        if not self._study.is_waiting:
            appointment = self._pending()
            if appointment is None and self._wants_draws:
                self._study.learn(self._record.known, self._space)  # not before trial 0
                return self._study.ask(), True
            if appointment is None:
                return None
            seed = appointment.config(self._space).seed
            facts = {"purpose": appointment.purpose, "seed": seed, "appointed": True}
            more = {} if appointment.retry_of is None else {"retry_of": appointment.retry_of}
            self._study.enqueue(encode(self._space, appointment.suggestion), facts | more)
            self._agenda.take(appointment)
        return self._study.ask(), False

    def _issue(self, trial: Trial, *, may_redraw: bool) -> Issued | Refusal:
        suggestion = suggest(self._space, trial)
        try:
            config = with_seed(self._space.trial(suggestion), trial.user_attrs.get("seed"))
        except ConfigError as error:
            self._study.refuse(trial, str(error))
            return "refused"
        facts = {"digest": config.digest, "setting": config.setting, "seed": config.seed}
        self._study.note(trial, {"suggestion": json.dumps(suggestion), **facts})
        if (times := self._fates.failures(config.digest)) >= MAX_FAILURES_PER_CONFIG:
            self._study.refuse(trial, f"this setting failed {times} times before; not tried again")
            return "refused"
        known = self._fates.known(config.digest)
        if known is not None:
            return self._repeat(trial, known, config.digest, may_redraw=may_redraw)
        self._fates.begin(config.digest, trial.number)
        self._live[trial.number] = trial
        return Issued(
            number=trial.number, config=config, suggestion=suggestion, purpose=purpose_of(trial)
        )

    def _repeat(self, trial: Trial, number: int, digest: str, *, may_redraw: bool) -> Refusal:
        """Draw another one, or end as the first trial of the same config did, or will."""
        if may_redraw:
            self._study.redraw(trial, f"same as trial {number}")
            return "redrawn"
        if digest in self._fates.finished:
            self._copy(trial, self._fates.finished[digest])
        else:
            self._twins.setdefault(number, []).append(trial)
        return "copied"

    def _copy(self, trial: Trial, source: TrialRecord) -> None:
        copy = self._study.copy(trial, source)
        self._course.add(copy)
        self._copies.append(copy)

    def _finish(self, record: TrialRecord) -> None:
        self._fates.finish(record)
        self._course.add(record)
        for twin in self._twins.pop(record.number, []):
            self._copy(twin, record)
