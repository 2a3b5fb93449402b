"""Warm-starts a sweep: its sampler learns from the trials of an earlier sweep."""

from bearing_search.errors import SweepError
from bearing_search.search_space.space import SearchSpace
from bearing_search.sweep.folder.sweep_folder import SweepFolder
from bearing_search.sweep.record.sweep_record import PriorTrial, SweepRecord
from bearing_search.sweep.status import sweep_status
from bearing_search.sweep.study.pruners import pruner_spec
from bearing_search.trial_history.measurement_log import MEASUREMENTS_FILE, last_values


def prior_trials(
    earlier: SweepFolder, record: SweepRecord, space: SearchSpace
) -> tuple[PriorTrial, ...]:
    """The complete trials of an earlier sweep, for the new sweep's sampler.

    Args:
        earlier: the sweep that ran the trials.
        record: record of the new sweep.
        space: search space of the new sweep.

    Raises:
        SweepError: scores of the two sweeps are not comparable, or no earlier trial is complete.
    """
    reason = _difference(earlier, record, space)
    if reason:
        raise SweepError(f"{earlier.record.name}: cannot warm-start {record.name}: {reason}")
    found = [t for t in sweep_status(earlier).trials if t.state == "complete" and t.counts]
    points = tuple(
        PriorTrial(
            source=f"{earlier.record.name}/{trial.number}",
            suggestion=trial.suggestion,
            value=trial.value,
            measured=_measured(earlier, trial.number, space),
        )
        for trial in found
        if trial.value is not None and trial.same_as is None
    )
    if not points:
        raise SweepError(f"{earlier.record.name}: cannot warm-start: it has no complete trial")
    return points


def _measured(earlier: SweepFolder, number: int, space: SearchSpace) -> dict[str, float]:
    values = last_values(earlier.trial_folder(number) / MEASUREMENTS_FILE)
    if missing := space.objective_spec.missing(values):
        raise SweepError(
            f"{earlier.record.name}: cannot warm-start: its trial {number} has no "
            f"{' and no '.join(missing)}, which the new sweep's objectives or constraints need"
        )
    return {name: values[name] for name in space.objective_spec.metrics}


def _difference(earlier: SweepFolder, record: SweepRecord, space: SearchSpace) -> str:
    """Why the two sweeps' points are not comparable; empty: they are."""
    theirs, old = earlier.space(), earlier.record
    if pruner_spec(record.pruner).pairs_folds:
        return f"the pruner {record.pruner} needs the best trial's score in each fold; use another"
    if old.task != record.task or old.objective != record.objective:
        return f"its objective is {old.objective}, not {record.objective}"
    if old.data_digest != record.data_digest:
        return f"its data digest is {old.data_digest}, not {record.data_digest}"
    if theirs.parameters != space.parameters:
        names = sorted(
            n
            for n in {*theirs.parameters, *space.parameters}
            if theirs.parameters.get(n) != space.parameters.get(n)
        )
        return f"its parameters differ in {', '.join(names)}"
    if theirs.conditions != space.conditions:
        return "its parameters have different conditions"
    own, other = space.default_suggestion(), theirs.default_suggestion()
    if theirs.trial(own) != space.trial(own) or theirs.trial(other) != space.trial(other):
        return "its base settings differ"
    return ""
