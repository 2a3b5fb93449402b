"""Index of a sweep's running, finished and failed configs, so that none is trained twice."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from bearing_search.sweep.planning.shared_prefix import SharedPrefix
from bearing_search.trial_history.records import TrialRecord

MAX_FAILURES_PER_CONFIG = 2
"""Number of failures after which a config is not trained again."""


class TrialKey(NamedTuple):
    """Digests that identify what a trial trains."""

    digest: str
    """Digest of its config."""

    identity: str
    """Digest of everything its score depends on; see `identity`."""

    prefix: SharedPrefix = SharedPrefix()
    """Digests of the training stages that other trials may share."""


class ConfigIndex:
    """Configs by digest: finished, running, and how often each has failed.

    Within a sweep, trials of the same config can differ only in the code that ran them. A required
    trial (a grid point, trial 0) is settled once its config was trained, under any version of the
    code; a suggestion is a duplicate only of a trial with the same identity.

    Args:
        trials: all trials of the sweep so far.
    """

    def __init__(self, trials: Sequence[TrialRecord]) -> None:
        self.finished: dict[str, TrialRecord] = {}
        """Digest -> first complete or pruned trial of the config."""

        self.sources: dict[str, TrialRecord] = {}
        """Identity -> first complete or pruned trial with it."""

        self.running: dict[int, TrialKey] = {}
        """Number -> key of each trial that this driver is running."""

        self.elsewhere: Mapping[int, TrialKey] = {}
        """Number -> key of each trial that another driver is running."""

        self.made: set[str] = set()
        """Digests of the shareable stages that complete trials have computed; see `prefix`."""

        self._failures: Counter[str] = Counter()
        for trial in trials:
            if trial.state in ("complete", "pruned"):
                self._add(trial)
            if trial.state == "failed" and not trial.is_refused:
                self._failures[trial.digest] += 1

    @property
    def running_prefixes(self) -> set[str]:
        """Digests of the encoders that running trials compute, here or elsewhere."""
        running = (*self.running.values(), *self.elsewhere.values())
        return {name.prefix.encoder for name in running}

    def begin(self, number: int, name: TrialKey) -> None:
        """Record that a trial was issued."""
        self.running[number] = name

    def release(self, number: int) -> None:
        """Record that a trial was stopped, to be resumed later."""
        del self.running[number]

    def finish(self, trial: TrialRecord) -> None:
        """Record that a trial ended as complete or pruned."""
        self.running.pop(trial.number, None)
        self._add(trial)

    def fail(self, number: int, digest: str) -> None:
        """Record that a trial failed."""
        self.running.pop(number, None)
        self._failures[digest] += 1

    def reset_failures(self) -> None:
        """Forget all failures: their cause may have been fixed."""
        self._failures.clear()

    def find_duplicate(self, identity: str) -> int | None:
        """Number of the running or finished trial with that identity; None: there is none."""
        if identity in self.sources:
            return self.sources[identity].number
        running = (*self.running.items(), *self.elsewhere.items())
        return next((number for number, name in running if name.identity == identity), None)

    def is_known(self, digest: str) -> bool:
        """Whether a trial is training the config or has trained it, under any code version."""
        running = (*self.running.values(), *self.elsewhere.values())
        return digest in self.finished or any(name.digest == digest for name in running)

    def failures(self, digest: str) -> int:
        """Number of times that a config has failed."""
        return self._failures[digest]

    def is_given_up(self, digest: str) -> bool:
        """Whether a config has failed too often to be trained again."""
        return self._failures[digest] >= MAX_FAILURES_PER_CONFIG

    def is_settled(self, digest: str) -> bool:
        """Whether a config needs no further trial: it is finished, running or given up."""
        return self.is_known(digest) or self.is_given_up(digest)

    def contains_all(self, digests: Collection[str]) -> bool:
        """Whether all configs are settled, and at least one of them was not given up."""
        return all(map(self.is_settled, digests)) and any(map(self.is_known, digests))

    def _add(self, trial: TrialRecord) -> None:
        self.finished.setdefault(trial.digest, trial)
        if trial.state == "complete":
            self.made |= set(trial.prefix) - {""}
        if trial.identity:
            self.sources.setdefault(trial.identity, trial)
