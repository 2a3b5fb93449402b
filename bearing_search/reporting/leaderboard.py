"""Ranks the settings of a search as a leaderboard, with conclusions that the data supports."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bearing_search.analysis.pareto import pareto_front
from bearing_search.analysis.ranked_setting import RankedSetting, SweepTrials
from bearing_search.analysis.selection import Selection, select
from bearing_search.errors import DamagedFileError
from bearing_search.reporting.objective_sentences import objective_lines
from bearing_search.reporting.sentences import (
    conclusions,
    drawn_defect_lines,
    interval_text,
    micro_batch_lines,
    saved_lines,
)
from bearing_search.reporting.test_access import TestAccessLog, test_access_log
from bearing_search.search_space.objectives import Objective, ObjectiveSpec
from bearing_search.trial_history.held_out_defects import unmasked_parts
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, last_values
from bearing_search.trial_history.records import TrialRecord, trial_config, trial_folder
from bearing_search.trial_history.seed_noise import SeedNoise, seed_noise
from bearing_search.trial_history.titles import value_text

_LOG = logging.getLogger(__name__)

NONE_TO_USE = "To use: none. Every complete setting misses a constraint of the space."


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """The ranked settings of one or several sweeps, with the facts that a report states."""

    selection: Selection
    unmasked_parts: Sequence[str]
    """Parts with held-out or training defects that have no mask."""

    test_access: TestAccessLog
    """How often the test set was opened."""

    noise: SeedNoise | None = None
    """None if no setting was run under a second seed."""

    notes: Sequence[str] = ()
    """Further caveats that every report must state."""

    objective_spec: ObjectiveSpec = field(default_factory=ObjectiveSpec)

    @property
    def synthetic_parts(self) -> list[str]:
        """Parts without defects in train, whose held-out defects are synthetic."""
        return sorted({p for entry in self.selection.entries for p in entry.defects.parts})

    @property
    def front(self) -> list[RankedSetting]:
        """The Pareto-optimal settings that satisfy all constraints; empty for one objective."""
        kept = [entry for entry in self.selection.entries if entry.judged.is_feasible]
        if not self.objective_spec.others or not kept:
            return []
        points = [
            [
                entry.value.value,
                *(self._better(entry, other) for other in self.objective_spec.others),
            ]
            for entry in kept
        ]
        is_front = pareto_front(np.array(points))
        return [entry for entry, yes in zip(kept, is_front, strict=True) if yes]

    def _better(self, entry: RankedSetting, objective: Objective) -> float:
        score = entry.judged.scores[objective.metric]
        return score if objective.direction == "max" else -score


def leaderboard(
    sweep: Path,
    records: Sequence[TrialRecord],
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    objective_spec: ObjectiveSpec | None = None,
) -> Leaderboard | None:
    """Rank the complete settings of a sweep on the same held-out samples.

    Returns:
        The leaderboard; None if no trial is complete.
    """
    alone = SweepTrials(name="", folder=sweep, records=records)
    return joint_leaderboard([alone], on_progress, objective_spec=objective_spec)


def joint_leaderboard(
    sweeps: Sequence[SweepTrials],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    objective_spec: ObjectiveSpec | None = None,
) -> Leaderboard | None:
    """Rank the settings of several sweeps that share data, folds, protocol and objectives.

    A trial with a damaged file is left out, with a warning and a note.

    Returns:
        The leaderboard; None if no trial is complete.

    Raises:
        DamagedFileError: of every complete trial a file is damaged.
    """
    sweeps, notes = [_with_costs(sweep) for sweep in sweeps], []
    objective_spec = objective_spec or ObjectiveSpec()
    while True:
        scored = [(sweep.folder, trial.number) for sweep in sweeps for trial in sweep.scored]
        if not scored:
            return None
        try:
            selection = select(
                sweeps,
                trial_config(*scored[0]).protocol,
                objective=objective_spec.objectives[0].metric,
                on_progress=on_progress,
            )
            break
        except DamagedFileError as error:
            sweeps = _without_trial(sweeps, error)
            notes.append(f"A trial is left out: {error}.")
            _LOG.warning("a trial is left out: %s", error)
    assert selection is not None
    looks = [test_access_log(sweep.folder) for sweep in sweeps]
    return Leaderboard(
        selection=selection,
        unmasked_parts=unmasked_parts(trial_folder(*scored[0])),
        test_access=TestAccessLog(
            sum(look.times for look in looks), max(look.last for look in looks)
        ),
        noise=seed_noise([record for sweep in sweeps for record in sweep.records]),
        notes=notes,
        objective_spec=objective_spec,
    )


def said_of(board: Leaderboard) -> list[str]:
    """What the data shows, what it does not, and its limits; one or two sentences per line."""
    held_out = [*drawn_defect_lines(board.selection), *_unmasked_lines(board)]
    saved = saved_lines(board.selection)
    noise = [board.noise.text] if board.noise else []
    fixed = [board.test_access.text, *board.notes]
    split = micro_batch_lines(board.selection)
    asked = objective_lines(board.selection, board.front, board.objective_spec)
    return [*conclusions(board.selection), *asked, *noise, *held_out, *split, *saved, *fixed]


def end_of_sweep(sweep: str, board: Leaderboard, *, program: str, flag: str) -> str:
    """The text printed when a sweep has reached its target.

    Args:
        sweep: name of the sweep.
        board: its leaderboard.
        program: the program as called on the user's command line.
        flag: ` --results DIR` if it is not the default, else empty.
    """
    chosen = board.selection.chosen
    if chosen is None:
        return "\n".join(["", NONE_TO_USE, *said_of(board)])
    settings = [f"  {path:34} {value_text(v)}" for path, v in chosen.trials[0].suggestion.items()]
    return "\n".join(
        [
            "",
            f"To use, of {len(board.selection.entries)} complete settings: {chosen.title}",
            *settings,
            f"  {board.selection.objective:34} {interval_text(chosen.value)}"
            f"{chosen.defects.text}   "
            f"(95 % interval; floor {board.selection.floor:.3f})",
            *said_of(board),
            "",
            f"Compare the runs:    {program} ui{flag}",
            f"Score it on test:    {program} evaluate {sweep}{flag}",
        ]
    )


def _with_costs(sweep: SweepTrials) -> SweepTrials:
    """The sweep with its trials' costs, shared stages included, which durations are not."""
    files = [trial_folder(sweep.folder, r.number) / MEASUREMENTS_FILE for r in sweep.records]
    records = [
        record.with_costs(_known_values(file))
        for record, file in zip(sweep.records, files, strict=True)
    ]
    return replace(sweep, records=records)


def _known_values(file: Path) -> Mapping[str, float]:
    """Values of the last measurement; none if the file is damaged, of which `status` warns."""
    try:
        return last_values(file)
    except DamagedFileError:
        return {}


def _without_trial(sweeps: Sequence[SweepTrials], error: DamagedFileError) -> list[SweepTrials]:
    """The sweeps without the trial whose file is damaged; raises the error if nothing is left."""
    kept = [
        replace(
            sweep,
            records=[
                record
                for record in sweep.records
                if not error.file.is_relative_to(trial_folder(sweep.folder, record.number))
            ],
        )
        for sweep in sweeps
    ]
    is_same = [len(one.records) for one in kept] == [len(one.records) for one in sweeps]
    if is_same or not any(sweep.scored for sweep in kept):
        raise error
    return kept


def _unmasked_lines(board: Leaderboard) -> list[str]:
    if not board.unmasked_parts:
        return []
    return [
        f"Defects of {', '.join(board.unmasked_parts)} have no mask: they count in metrics of "
        "whole images only, and fine-tuning's patch task does not learn from them."
    ]
