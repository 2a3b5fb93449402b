"""How far a search has come: how many trials have finished, and whether more of them can pay.

Optuna's own terminators are deprecated; those that bound the regret fit a Gaussian process, which
needs torch, and the driver has none. What is left of them is their idea: stop when the gain still
in sight is smaller than the error of a score. The gain in sight is taken to be that of the last
trials, the error is what an audit has measured.
"""

import math
from collections.abc import Iterable

from bearing_search.trial_history.records import TrialRecord
from bearing_search.trial_history.seed_noise import seed_noise

PATIENCE = 20
"""How many finished trials in a row without a gain worth believing are enough. TPE draws the first
10 of a sweep at random, so that at least half of these were chosen."""


class StagnationTerminator:
    """The finished trials of a sweep, in the order in which they finished.

    Args:
        trials: of earlier sessions.
        may_converge: whether the sweep was asked to stop when more trials cannot pay.
    """

    def __init__(self, trials: Iterable[TrialRecord], *, may_converge: bool) -> None:
        self._may_converge = may_converge
        self._best: list[float] = []  # so far, after each finished trial
        self._of_base: list[TrialRecord] = []
        for trial in trials:
            self.add(trial)

    @property
    def num_finished(self) -> int:
        """Trials that count towards the target."""
        return len(self._best)

    def add(self, trial: TrialRecord) -> None:
        """A trial has ended."""
        if trial.state == "complete" and trial.purpose in ("default", "audit"):
            self._of_base.append(trial)
        if not trial.counts:
            return
        is_candidate = trial.value is not None and trial.judged.is_feasible
        value = trial.value if is_candidate and trial.value is not None else -math.inf
        self._best.append(max([value, *self._best[-1:]]))

    @property
    def converged(self) -> str:
        """Why more trials cannot pay; empty: they may."""
        if not self._may_converge or len(self._best) <= PATIENCE:
            return ""
        before, now = self._best[-1 - PATIENCE], self._best[-1]
        noise = seed_noise(self._of_base)
        least = noise.smallest_gain if noise is not None and noise.smallest_gain < 1 else 0.0
        if math.isinf(before) or now - before > least:
            return ""
        if not least:
            return f"converged: the last {PATIENCE} trials have not raised the best ({now:.4f})"
        return (
            f"converged: the last {PATIENCE} trials have raised the best by {now - before:.4f}; "
            f"gains below {least:.4f} are within the noise of the seeds"
        )
