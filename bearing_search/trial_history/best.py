"""Picks a search's best trial and its finalists by the objective alone.

The report decides differently: it also accounts for settings that are statistically tied
(`selection`).
"""

from collections.abc import Iterable, Sequence
from statistics import fmean

from bearing_search.search_space.objectives import mean_objective_values
from bearing_search.trial_history.records import COUNTED, TrialRecord


def best_of(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """The best trial; the first one if several are equal, None if no setting is feasible.

    Settings that violate a constraint are never chosen. Without finalists, the best trial is the
    one with the highest value; audit runs are left out, since more runs give the base setting more
    chances of a lucky score. With finalists, it is the first trial of the setting with the highest
    mean over seeds, among settings that were run on at least as many seeds as the finalists.
    """
    runs = {s: of_it for s, of_it in runs_of_settings(trials).items() if is_feasible(of_it)}
    finalists = [s for s, of_it in runs.items() if any(t.purpose == "finalist" for t in of_it)]
    if not finalists:
        return next(iter(best_settings(trials, 1)), None)
    least = min(len(runs[setting]) for setting in finalists)
    rivals = [of_it for of_it in runs.values() if len(of_it) >= least]
    return max(rivals, key=lambda of_it: (fmean(_values(of_it)), -of_it[0].number))[0]


def best_settings(trials: Sequence[TrialRecord], count: int) -> list[TrialRecord]:
    """The best `count` trials, one per feasible setting; audit and finalist runs do not count."""
    drawn = [
        trial
        for of_it in runs_of_settings(trials).values()
        for trial in of_it
        if trial.purpose in COUNTED and is_feasible(of_it)
    ]
    drawn.sort(key=lambda trial: (-_values([trial])[0], trial.number))
    return [of_it[0] for of_it in by_setting(drawn).values()][:count]


def is_feasible(runs: Sequence[TrialRecord]) -> bool:
    """Whether a setting satisfies all constraints, averaged over its runs."""
    return mean_objective_values([trial.judged for trial in runs]).is_feasible


def runs_of_settings(trials: Sequence[TrialRecord]) -> dict[str, list[TrialRecord]]:
    """Complete trials by setting, one per config, sorted by number."""
    return by_setting(
        trial
        for trial in once_per_config(trials)
        if trial.state == "complete" and trial.value is not None and trial.same_as is None
    )


def by_setting(trials: Iterable[TrialRecord]) -> dict[str, list[TrialRecord]]:
    """Trials grouped by setting, in the given order."""
    runs: dict[str, list[TrialRecord]] = {}
    for trial in trials:
        # records that do not come from a ledger may have no setting
        runs.setdefault(trial.setting or f"trial {trial.number}", []).append(trial)
    return runs


def once_per_config(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Trials sorted by number, without complete ones whose config was trained again later.

    That happens when the code changes in mid-sweep: the later score is that of the current code,
    and two scores under the same seed say nothing about the variance over seeds.
    """
    last: dict[str, int] = {}
    for trial in trials:
        if trial.digest and trial.state == "complete" and trial.same_as is None:
            last[trial.digest] = max(trial.number, last.get(trial.digest, 0))
    return [
        trial
        for trial in sorted(trials, key=lambda trial: trial.number)
        if trial.state != "complete" or trial.number >= last.get(trial.digest, 0)
    ]


def _values(trials: Sequence[TrialRecord]) -> list[float]:
    return [trial.value for trial in trials if trial.value is not None]
