"""What has become of every config of a sweep: no config is trained twice."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from bearing_search.observer import TrialRecord

MAX_FAILURES_PER_CONFIG = 2
"""A config that failed so often is not trained again."""


class Fates:
    """Configs by digest: finished, running, or failed how often.

    Args:
        trials: of the sweep so far.
    """

    def __init__(self, trials: Sequence[TrialRecord]) -> None:
        self.finished: dict[str, TrialRecord] = {}
        """Complete or pruned; the first trial of each config."""

        self.running: dict[str, int] = {}
        """Number of the trial that trains it now."""

        self.elsewhere: Mapping[str, int] = {}
        """Number of the trial by which another driver trains it now."""

        self._failures: Counter[str] = Counter()
        for trial in trials:
            if trial.state in ("complete", "pruned"):
                self.finished.setdefault(trial.digest, trial)
            if trial.state == "failed" and not trial.is_refused:
                self._failures[trial.digest] += 1

    def begin(self, digest: str, number: int) -> None:
        """A trial of the config has been handed out."""
        self.running[digest] = number

    def leave(self, digest: str) -> None:
        """It was stopped, to go on later."""
        del self.running[digest]

    def finish(self, trial: TrialRecord) -> None:
        """It has ended as complete or pruned."""
        self.running.pop(trial.digest, None)
        self.finished.setdefault(trial.digest, trial)

    def fail(self, digest: str) -> None:
        """It has given no score."""
        self.running.pop(digest, None)
        self._failures[digest] += 1

    def forgive(self) -> None:
        """Forget all failures: what was failing may have been mended."""
        self._failures.clear()

    def known(self, digest: str) -> int | None:
        """Number of the trial that trains the config now, or has trained it."""
        if digest in self.finished:
            return self.finished[digest].number
        return self.running.get(digest, self.elsewhere.get(digest))

    def failures(self, digest: str) -> int:
        """How often a config has failed."""
        return self._failures[digest]

    def is_given_up(self, digest: str) -> bool:
        """Whether a config has failed too often to be trained again."""
        return self._failures[digest] >= MAX_FAILURES_PER_CONFIG

    def is_settled(self, digest: str) -> bool:
        """Whether nothing is to be done for a config: it is finished, running, or given up."""
        return self.known(digest) is not None or self.is_given_up(digest)

    def have_all(self, digests: Collection[str]) -> bool:
        """Whether all are settled, and not all of them given up."""
        return all(map(self.is_settled, digests)) and any(
            self.known(d) is not None for d in digests
        )
