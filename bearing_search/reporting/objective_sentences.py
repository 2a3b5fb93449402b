"""Sentences of a report about several objectives and constraints."""

from collections.abc import Sequence

from bearing_search.analysis.ranked_setting import RankedSetting
from bearing_search.analysis.selection import Selection
from bearing_search.measurement import COST_S, TRAIN_GFLOP
from bearing_search.search_space.objectives import ObjectiveSpec

_NAMED = 12
_SECONDS = (
    f"{COST_S} is the time that a trial's stages take, whether it computed or reused them: it is "
    f"independent of sharing, but not of machine and load; {TRAIN_GFLOP} is."
)
_GFLOP = (
    f"{TRAIN_GFLOP} is the counted work of training in GFLOP, whether stages were computed or "
    "reused: the same on every machine."
)


def objective_lines(
    selection: Selection, front: Sequence[RankedSetting], objective_spec: ObjectiveSpec
) -> list[str]:
    """Which settings violate constraints, and which are Pareto-optimal, as sentences."""
    lines = []
    if objective_spec.constraints:
        lines.append(_constraint_text(selection, objective_spec))
    if objective_spec.others:
        lines.append(_front_text(front, objective_spec))
    if COST_S in objective_spec.metrics:
        lines.append(_SECONDS)
    if TRAIN_GFLOP in objective_spec.metrics:
        lines.append(_GFLOP)
    return lines


def _constraint_text(selection: Selection, objective_spec: ObjectiveSpec) -> str:
    missing = [entry for entry in selection.entries if not entry.judged.is_feasible]
    asked = " and ".join(map(str, objective_spec.constraints))
    if not missing:
        return f"Every setting satisfies {asked}."
    names = _listed([entry.title.removeprefix("trial ") for entry in missing])
    return (
        f"{len(missing)} of {len(selection.entries)} settings miss {asked}, and should not be "
        f"used: {names}. Constraints are checked on measured values, without intervals."
    )


def _front_text(front: Sequence[RankedSetting], objective_spec: ObjectiveSpec) -> str:
    names = _listed([entry.title.removeprefix("trial ") for entry in front])
    asked = " and ".join(map(str, objective_spec.objectives))
    return (
        f"Pareto set of {asked}: {names or 'empty'}. No other setting is as good in all of them "
        "and better in one. The setting to use depends only on the first objective and on what it "
        "costs to use."
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
