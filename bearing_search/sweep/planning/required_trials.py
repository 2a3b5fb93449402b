"""Trials that run regardless of the sampler: the base, its audit, a grid, the finalists."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bearing_search.config import TrialConfig
from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.planning.config_index import ConfigIndex
from bearing_search.sweep.planning.reuse_order import LOOKAHEAD, ReuseOrder
from bearing_search.sweep.record.sweep_record import SweepRecord
from bearing_search.sweep.study.grid import grid_points
from bearing_search.sweep.study.samplers import sampler_spec
from bearing_search.trial_history.best import best_settings
from bearing_search.trial_history.records import COUNTED, TrialPurpose, TrialRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredTrial:
    """A setting that must be run."""

    suggestion: Mapping[str, Any]
    purpose: TrialPurpose
    seed: int | None = None
    """Replaces the config's seed; None: keeps it."""

    retry_of: int | None = None
    """Number of the failed trial that it retries."""

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "RequiredTrial":
        """The required trial for which a trial was run, from the user attributes of that trial."""
        suggestion = json.loads(facts["suggestion"])
        return cls(suggestion=suggestion, purpose=facts["purpose"], seed=facts["seed"])

    @property
    def is_in_order(self) -> bool:
        """Whether it must run before all later ones, so that it is never reordered."""
        return self.retry_of is not None or self.purpose != "search"

    @property
    def is_extra(self) -> bool:
        """Whether it runs even if the target leaves no room."""
        return self.retry_of is not None or self.purpose not in COUNTED

    def config(self, space: SearchSpace) -> TrialConfig:
        """The config to train."""
        return with_seed(space.trial(self.suggestion), self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledTrial:
    """A trial to run, for the first time or again."""

    number: int
    config: TrialConfig
    suggestion: Mapping[str, Any]
    purpose: TrialPurpose = "search"
    identity: str = ""
    """Identity stored in the ledger; see `identity`."""

    @classmethod
    def copied(cls, copy: TrialRecord, space: SearchSpace) -> "ScheduledTrial":
        """A trial that has copied the result of another one."""
        config = with_seed(space.trial(copy.suggestion), copy.seed)
        return cls(
            number=copy.number,
            config=config,
            suggestion=copy.suggestion,
            purpose=copy.purpose,
            identity=copy.identity,
        )


Refusal = Literal["refused", "redrawn", "copied"]
"""Why a drawn trial is not issued: it cannot be run, or it duplicates another trial."""


def with_seed(config: TrialConfig, seed: int | None) -> TrialConfig:
    """The config with another seed; None keeps its seed."""
    return config if seed is None else replace(config, seed=seed)


def initial_trials(space: SearchSpace, record: SweepRecord) -> Iterator[RequiredTrial]:
    """Trials that open a sweep: trial 0, its audit, settings enqueued by the space, grid points."""
    own = space.default_suggestion()
    yield RequiredTrial(suggestion=own, purpose="default")
    first = space.trial(own).seed
    for seed in range(first + 1, first + record.seeds.audit):
        yield RequiredTrial(suggestion=own, purpose="audit", seed=seed)
    for suggestion in space.enqueued:
        yield RequiredTrial(suggestion=suggestion, purpose="search")
    if sampler_spec(record.sampler).is_exhaustive:
        for point in grid_points(space, record.digest_scheme)[1:]:
            yield RequiredTrial(suggestion=point, purpose="search")


def final_trials(
    space: SearchSpace, record: SweepRecord, trials: Sequence[TrialRecord]
) -> Iterator[RequiredTrial]:
    """Trials that close a search: its best settings under further seeds, seed by seed."""
    finalists = best_settings(trials, record.seeds.finalists)
    for step in range(1, record.seeds.each):
        for trial in finalists:
            yield RequiredTrial(
                suggestion=trial.suggestion, purpose="finalist", seed=trial.seed + step
            )


class RequiredTrialQueue:
    """Queue of the required trials that are still to be run.

    Args:
        space: search space of the sweep.
        record: record of the sweep.
        config_index: index of its configs; maintained by the ledger.
        reuse_order: order of its configs.
    """

    def __init__(
        self,
        space: SearchSpace,
        record: SweepRecord,
        config_index: ConfigIndex,
        reuse_order: ReuseOrder,
    ) -> None:
        self._space = space
        self._record = record
        self._config_index = config_index
        self._reuse_order = reuse_order
        self._open = self._by_digest(initial_trials(space, record))
        self._is_closed = False

    def next_pending(self, *, room: int) -> RequiredTrial | None:
        """The next required trial whose config is not settled; None: there is none.

        Args:
            room: number of trials that the target still allows.
        """
        ready: list[str] = []
        for digest, required in list(self._open.items()):
            if self._config_index.is_settled(digest):
                del self._open[digest]
            elif required.is_in_order:
                if ready:
                    break
                if room > 0 or required.is_extra:
                    return required
            elif len(ready) < min(room, LOOKAHEAD):
                ready.append(digest)
            elif ready:
                break
        return self._open[self._reuse_order.next_digest(ready)] if ready else None

    def add_final_trials(self, trials: Sequence[TrialRecord]) -> bool:
        """Queue the finalists, once all else is over; returns false if that was done before."""
        if self._is_closed:
            return False
        self._is_closed = True
        self._open |= self._by_digest(final_trials(self._space, self._record, trials))
        return True

    def add_retries(self, trials: Sequence[TrialRecord]) -> None:
        """Queue retries of the failed trials ahead of all others, regardless of the target."""
        again = {
            trial.digest: RequiredTrial(
                suggestion=trial.suggestion,
                purpose=trial.purpose,
                seed=trial.seed,
                retry_of=trial.number,
            )
            for trial in trials
            if trial.state == "failed" and not trial.is_refused and trial.digest
        }
        self._open = again | {d: one for d, one in self._open.items() if d not in again}

    def pop(self, required: RequiredTrial) -> None:
        """Remove a required trial, which has been enqueued in the study."""
        del self._open[self._record.config_digest(required.config(self._space))]

    def requeue(self, required: RequiredTrial) -> None:
        """Queue a failed trial again; `next_pending` drops it if it has failed too often."""
        self._open |= self._by_digest([required])

    def _by_digest(self, required_trials: Iterable[RequiredTrial]) -> dict[str, RequiredTrial]:
        listed = {}
        for required in required_trials:
            config = required.config(self._space)
            digest = self._record.config_digest(config)
            self._reuse_order.add_configs({digest: config})
            listed[digest] = required
        return listed
