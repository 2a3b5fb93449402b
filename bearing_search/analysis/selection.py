"""Ranks the settings of a search on the same held-out samples, and selects the one to use.

Runs of one setting under several seeds count as one setting. Settings that cannot be distinguished
from the best are tied with it; the one to use is one of them (see `choice`). Settings that violate
a constraint are excluded from both.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
from bearing_search.config import ProtocolConfig
from bearing_search.measurement import OBJECTIVE, metric_of
from bearing_search.search_space.objectives import ObjectiveValues, mean_objective_values
from bearing_search.training.cost import CostOfUse
from bearing_search.trial_history.best import by_setting, once_per_config
from bearing_search.trial_history.records import TrialRecord, trial_config, trial_folder
from bearing_search.trial_history.seed_noise import pooled_deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepTrials:
    """A sweep's trials, for ranking."""

    name: str
    folder: Path
    records: Sequence[TrialRecord]

    @property
    def scored(self) -> list[TrialRecord]:
        """The complete trials with stored scores; those that copied another's result have none."""
        return [
            record
            for record in once_per_config(self.records)
            if record.state == "complete"
            and any(trial_folder(self.folder, record.number).glob("*/*/scored.npz"))
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedSetting:
    """One setting with its trials, one per seed."""

    sweep: str
    """Name of its sweep if several are compared, else empty."""

    folder: Path
    """Folder of its sweep."""

    trials: tuple[TrialRecord, ...]
    """Complete trials, by number; `value` is their mean."""

    value: Interval
    image_auroc: Interval
    is_tied: bool
    """Whether it satisfies all constraints and is not shown to be worse than another setting."""

    judged: ObjectiveValues
    """Further objectives and constraint violations, averaged over the trials."""

    use: CostOfUse | None
    """Counted cost of using it, trained on all of train, as mean over parts; None: unknown."""

    @property
    def number(self) -> int:
        """Number of its first trial."""
        return self.trials[0].number

    @property
    def title(self) -> str:
        """`trial 3`, or `trial 3 of first` if several sweeps are compared."""
        return f"trial {self.number}" + (f" of {self.sweep}" if self.sweep else "")

    @property
    def is_default(self) -> bool:
        """Whether it is the base setting of its space (in `paper`, that of the paper)."""
        return any(trial.purpose == "default" for trial in self.trials)

    @property
    def cost_s(self) -> float:
        """Mean seconds per run, reused stages included; infinite if unknown. Decides nothing."""
        known = [trial.cost_s for trial in self.trials if trial.cost_s]
        return float(np.mean(known)) if known else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """All settings, best first; those that violate a constraint come last."""

    objective: str
    """The metric that ranks them: `val/pixel_aupro`."""

    entries: Sequence[RankedSetting]
    winner: int | None
    """Position of the setting to use; None: every setting violates a constraint."""

    gains: Mapping[int, Interval]
    """Position of each default setting -> gain of the winner over it, with an interval that holds
    simultaneously for all searched settings."""

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
    runs = [(sweep, group) for sweep in sweeps for group in by_setting(sweep.scored).values()]
    if not runs:
        return None
    folders = [trial_folder(sweep.folder, t.number) for sweep, group in runs for t in group]
    found = iter(influences_of_trials(folders, protocol, on_progress=on_progress))
    means = [mean_influences([next(found) for _ in group]) for _, group in runs]
    metric = metric_of(objective)
    values = np.array([_mean(parts, metric) for parts in means])
    judged = [mean_objective_values([trial.judged for trial in group]) for _, group in runs]
    order = sorted(
        range(len(runs)), key=lambda one: (not judged[one].is_feasible, -values[one], one)
    )
    runs, means, values = [runs[i] for i in order], [means[i] for i in order], values[order]
    judged = [judged[i] for i in order]
    feasible = np.array([one.is_feasible for one in judged])
    deviation, freedom = pooled_deviation([[t.value or 0.0 for t in group] for _, group in runs])
    noise = np.array([np.nan_to_num(deviation) ** 2 / len(group) for _, group in runs])
    ranking = compare_with_best(
        values,
        scaled_shifts(means, metric),
        noise,
        may_be_best=feasible if feasible.any() else None,
    )
    normals = normals_of_parts(folders[0])
    entries = [
        RankedSetting(
            sweep=sweep.name if len(sweeps) > 1 else "",
            folder=sweep.folder,
            trials=tuple(group),
            value=metric_interval(
                list(parts.values()), metric, seed_variance=extra, seed_freedom=freedom
            ),
            image_auroc=metric_interval(list(parts.values()), "image_auroc"),
            is_tied=bool(is_tied),
            judged=one,
            use=cost_over_parts(trial_config(sweep.folder, group[0].number), normals),
        )
        for (sweep, group), parts, extra, is_tied, one in zip(
            runs, means, noise, ranking.is_tied & feasible, judged, strict=True
        )
    ]
    winner = _winner(entries)
    return Selection(
        objective=objective,
        entries=entries,
        winner=winner,
        gains=_gains(entries, winner, ranking),
        floor=float(np.mean([p.floor_of(metric) for p in means[winner or 0].values()])),
        groups={p: (len(i.normal), len(i.anomalous)) for p, i in means[winner or 0].items()},
        seed_deviation=deviation,
        repeated_runs=0 if math.isnan(deviation) else freedom,
    )


def _mean(parts: Mapping[str, Influence], metric: str) -> float:
    return float(np.nanmean([part.value_of(metric) for part in parts.values()]))


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
        if entry.is_default
    }
