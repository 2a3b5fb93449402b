"""Index of a sweep's configs, running, finished or failed: no config is trained twice."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from bearing_search.sweep.planning.shared_prefix import SharedPrefix
from bearing_search.trial_history.records import TrialRecord

MAX_FAILURES_PER_CONFIG = 2
"""After this many failures a config is not trained again."""


class TrialKey(NamedTuple):
    """What a trial trains."""

    digest: str
    """Of its config."""

    identity: str
    """Of all that its score depends on; see `identity`."""

    prefix: SharedPrefix = SharedPrefix()
    """What of it other trials may share."""


class ConfigIndex:
    """Configs by digest: finished, running, or failed how often.

    Within a sweep, trials of one config differ in the code that ran them, if in anything. What is
    asked for by name (a grid's point, trial 0) has had its turn under whichever code; a suggestion
    repeats only a trial of the same identity.

    Args:
        trials: of the sweep so far.
    """

    def __init__(self, trials: Sequence[TrialRecord]) -> None:
        self.finished: dict[str, TrialRecord] = {}
        """Complete or pruned, by digest; the first trial of each config."""

        self.sources: dict[str, TrialRecord] = {}
        """Complete or pruned, by identity; the first trial of each."""

        self.running: dict[int, TrialKey] = {}
        """What trials train now, by number."""

        self.elsewhere: Mapping[int, TrialKey] = {}
        """What other drivers' trials train now, by number."""

        self.made: set[str] = set()
        """What finished trials have made that others may share; see `prefix`."""

        self._failures: Counter[str] = Counter()
        for trial in trials:
            if trial.state in ("complete", "pruned"):
                self._add(trial)
            if trial.state == "failed" and not trial.is_refused:
                self._failures[trial.digest] += 1

    @property
    def running_prefixes(self) -> set[str]:
        """Encoders that trials make now, here or elsewhere."""
        running = (*self.running.values(), *self.elsewhere.values())
        return {name.prefix.encoder for name in running}

    def begin(self, number: int, name: TrialKey) -> None:
        """A trial of the config has been handed out."""
        self.running[number] = name

    def release(self, number: int) -> None:
        """It was stopped, to go on later."""
        del self.running[number]

    def finish(self, trial: TrialRecord) -> None:
        """It has ended as complete or pruned."""
        self.running.pop(trial.number, None)
        self._add(trial)

    def fail(self, number: int, digest: str) -> None:
        """It has given no score."""
        self.running.pop(number, None)
        self._failures[digest] += 1

    def reset_failures(self) -> None:
        """Forget all failures: what was failing may have been mended."""
        self._failures.clear()

    def find_duplicate(self, identity: str) -> int | None:
        """Number of the trial of that identity, which is run now or has ended."""
        if identity in self.sources:
            return self.sources[identity].number
        running = (*self.running.items(), *self.elsewhere.items())
        return next((number for number, name in running if name.identity == identity), None)

    def is_known(self, digest: str) -> bool:
        """Whether a trial trains the config now, or has trained it, under whichever code."""
        running = (*self.running.values(), *self.elsewhere.values())
        return digest in self.finished or any(name.digest == digest for name in running)

    def failures(self, digest: str) -> int:
        """How often a config has failed."""
        return self._failures[digest]

    def is_given_up(self, digest: str) -> bool:
        """Whether a config has failed too often to be trained again."""
        return self._failures[digest] >= MAX_FAILURES_PER_CONFIG

    def is_settled(self, digest: str) -> bool:
        """Whether nothing is to be done for a config: it is finished, running, or given up."""
        return self.is_known(digest) or self.is_given_up(digest)

    def contains_all(self, digests: Collection[str]) -> bool:
        """Whether all are settled, and not all of them given up."""
        return all(map(self.is_settled, digests)) and any(map(self.is_known, digests))

    def _add(self, trial: TrialRecord) -> None:
        self.finished.setdefault(trial.digest, trial)
        if trial.state == "complete":
            self.made |= set(trial.prefix) - {""}
        if trial.identity:
            self.sources.setdefault(trial.identity, trial)
