"""Early stopping of a search: decides whether more trials are still worthwhile.

Optuna's terminators are deprecated; those that bound the regret fit a Gaussian process, which needs
torch, and the driver does not load it. This module keeps their idea: stop when the expected gain is
smaller than the error of a score. The expected gain is estimated by that of the last trials, the
error by the seed noise that an audit has measured.
"""

import math
from collections.abc import Iterable

from bearing_search.trial_history.records import TrialRecord
from bearing_search.trial_history.seed_noise import seed_noise

PATIENCE = 20
"""Consecutive finished trials without a credible gain after which the search stops. TPE draws the
first 10 trials at random, so at least half of these were chosen by its model."""


class StagnationTerminator:
    """Tracks the best score over the finished trials, in the order in which they finished.

    Args:
        trials: trials of earlier sessions.
        may_converge: whether the sweep stops once more trials are not worthwhile.
    """

    def __init__(self, trials: Iterable[TrialRecord], *, may_converge: bool) -> None:
        self._may_converge = may_converge
        self._best: list[float] = []  # so far, after each finished trial
        self._of_base: list[TrialRecord] = []
        for trial in trials:
            self.add(trial)

    @property
    def num_finished(self) -> int:
        """Number of trials that count towards the target."""
        return len(self._best)

    def add(self, trial: TrialRecord) -> None:
        """Add a trial that has ended."""
        if trial.state == "complete" and trial.purpose in ("default", "audit"):
            self._of_base.append(trial)
        if not trial.counts:
            return
        is_candidate = trial.value is not None and trial.judged.is_feasible
        value = trial.value if is_candidate and trial.value is not None else -math.inf
        self._best.append(max([value, *self._best[-1:]]))

    @property
    def converged(self) -> str:
        """Why more trials are not worthwhile; empty: they are, or this is not checked."""
        if not self._may_converge or len(self._best) <= PATIENCE:
            return ""
        before, now = self._best[-1 - PATIENCE], self._best[-1]
        noise = seed_noise(self._of_base)
        least = noise.smallest_gain if noise is not None and noise.smallest_gain < 1 else 0.0
        if math.isinf(before) or now - before > least:
            return ""
        if not least:
            return f"converged: the last {PATIENCE} trials did not raise the best score ({now:.4f})"
        return (
            f"converged: the last {PATIENCE} trials raised the best score by {now - before:.4f}; "
            f"gains below {least:.4f} are within seed noise"
        )
