"""Ranks the settings of a search on the same held-out samples, and selects the one to use.

Runs of one setting under several seeds count as one setting. Settings that cannot be distinguished
from the best are tied with it; the one to use is one of them (see `choice`). Settings that violate
a constraint are excluded from both.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bearing_search.analysis.choice import (
    Saving,
    cost_over_parts,
    normals_of_parts,
    saving,
    to_use,
)
from bearing_search.analysis.influence_cache import (
    influences_of_trials,
    mean_influences,
    scaled_shifts,
)
from bearing_search.analysis.intervals import Influence, Interval, metric_interval
from bearing_search.analysis.multiple_comparisons import Ranking, compare_with_best
from bearing_search.analysis.ranked_setting import RankedSetting, SweepTrials
from bearing_search.config import ProtocolConfig, TrialConfig
from bearing_search.measurement import OBJECTIVE, metric_of
from bearing_search.search_space.objectives import ObjectiveValues, mean_objective_values
from bearing_search.trial_history.best import by_setting
from bearing_search.trial_history.held_out_defects import (
    HeldOutDefects,
    alike,
    held_out_defects,
)
from bearing_search.trial_history.records import TrialRecord, trial_config, trial_folder
from bearing_search.trial_history.seed_noise import pooled_deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """All settings, best first, then those scored on other drawn defects; those that violate a
    constraint come last."""

    objective: str
    """The metric that ranks them: `val/pixel_aupro`."""

    entries: Sequence[RankedSetting]
    winner: int | None
    """Position of the setting to use; None: every setting violates a constraint."""

    gains: Mapping[int, Interval]
    """Position of each comparable default setting -> gain of the winner over it, with an interval
    that holds simultaneously for all searched settings."""

    floor: float
    """Objective of a constant score for every pixel."""

    groups: Mapping[str, tuple[int, int]]
    """Part -> number of normal and of anomalous groups that were held out."""

    seed_deviation: float
    """Standard deviation of the objective between seeds; NaN if no setting was run twice."""

    repeated_runs: int
    """Degrees of freedom of that estimate: runs beyond the first of each setting."""

    @property
    def best(self) -> RankedSetting:
        """The first entry: the highest value among settings that satisfy all constraints."""
        return self.entries[0]

    @property
    def chosen(self) -> RankedSetting | None:
        """The setting to use; None if every setting violates a constraint."""
        return None if self.winner is None else self.entries[self.winner]

    @property
    def saving(self) -> Saving | None:
        """How much cheaper the chosen setting is than the best; None if it is the best."""
        if self.chosen is None or self.chosen is self.best:
            return None
        return saving(self.chosen.use, self.best.use)

    @property
    def tied(self) -> Sequence[RankedSetting]:
        """The settings that cannot be distinguished from the best, which is included."""
        return [entry for entry in self.entries if entry.is_tied]


def select(
    sweeps: Sequence[SweepTrials],
    protocol: ProtocolConfig,
    *,
    objective: str = OBJECTIVE,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Selection | None:
    """Rank the complete settings of sweeps that were scored on the same folds of the same data.

    Args:
        sweeps: the sweeps, with all of their trials.
        protocol: how they were scored.
        objective: the metric to rank by.
        on_progress: called with the number of trials read and of all trials.

    Returns:
        The ranking; None if no trial is complete.
    """
    grouped = [(sweep, group) for sweep in sweeps for group in by_setting(sweep.scored).values()]
    if not grouped:
        return None
    folders = [trial_folder(sweep.folder, t.number) for sweep, group in grouped for t in group]
    found = iter(influences_of_trials(folders, protocol, on_progress=on_progress))
    metric = metric_of(objective)
    runs = sorted(
        (_run(sweep, group, [next(found) for _ in group], metric) for sweep, group in grouped),
        key=lambda run: (not run.judged.is_feasible, -run.value),
    )
    deviation, freedom = pooled_deviation([[t.value or 0.0 for t in r.trials] for r in runs])
    feasible = np.array([run.judged.is_feasible for run in runs])
    drawings = [run.defects.drawing for run in runs]
    comparable = np.array(alike(drawings, feasible.tolist()))
    order = sorted(range(len(runs)), key=lambda one: (not feasible[one], not comparable[one]))
    runs, feasible, comparable = [runs[i] for i in order], feasible[order], comparable[order]
    noise = np.array([np.nan_to_num(deviation) ** 2 / len(run.trials) for run in runs])
    ranking = compare_with_best(
        np.array([run.value for run in runs]),
        scaled_shifts([run.means for run in runs], metric),
        noise,
        may_be_best=(feasible if feasible.any() else True) & comparable,
    )
    normals = normals_of_parts(folders[0])
    entries = [
        RankedSetting(
            sweep=run.sweep.name if len(sweeps) > 1 else "",
            folder=run.sweep.folder,
            trials=run.trials,
            value=metric_interval(
                list(run.means.values()),
                metric,
                seed_variance=noise[place],
                seed_freedom=freedom,
            ),
            image_auroc=metric_interval(list(run.means.values()), "image_auroc"),
            is_tied=bool(ranking.is_tied[place] & feasible[place] & comparable[place]),
            is_comparable=bool(comparable[place]),
            defects=run.defects,
            judged=run.judged,
            use=cost_over_parts(run.config, normals),
        )
        for place, run in enumerate(runs)
    ]
    winner = _winner(entries)
    shown = runs[winner or 0].means
    return Selection(
        objective=objective,
        entries=entries,
        winner=winner,
        gains=_gains(entries, winner, ranking),
        floor=float(np.mean([p.floor_of(metric) for p in shown.values()])),
        groups={p: (len(i.normal), len(i.anomalous)) for p, i in shown.items()},
        seed_deviation=deviation,
        repeated_runs=0 if math.isnan(deviation) else freedom,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """The trials of one setting, and their scores averaged over seeds."""

    sweep: SweepTrials
    trials: tuple[TrialRecord, ...]
    config: TrialConfig
    means: Mapping[str, Influence]
    value: float
    judged: ObjectiveValues
    defects: HeldOutDefects


def _run(
    sweep: SweepTrials,
    group: Sequence[TrialRecord],
    found: Sequence[Mapping[str, Influence]],
    metric: str,
) -> _Run:
    means, config = mean_influences(found), trial_config(sweep.folder, group[0].number)
    scores = [part.value_of(metric) for part in means.values()]
    return _Run(
        sweep=sweep,
        trials=tuple(group),
        config=config,
        means=means,
        value=float(np.nanmean(scores)),
        judged=mean_objective_values([trial.judged for trial in group]),
        defects=held_out_defects(trial_folder(sweep.folder, group[0].number), config),
    )


def _winner(entries: Sequence[RankedSetting]) -> int | None:
    tied = [number for number, entry in enumerate(entries) if entry.is_tied]
    chosen = to_use([(entries[number].value.value, entries[number].use) for number in tied])
    return None if chosen is None else tied[chosen]


def _gains(
    entries: Sequence[RankedSetting], winner: int | None, ranking: Ranking
) -> dict[int, Interval]:
    if winner is None:
        return {}
    return {
        number: ranking.gain(winner, over=number)
        for number, entry in enumerate(entries)
        if entry.is_default and entry.is_comparable
    }
