"""Several objectives and constraints, as sentences of a report."""

from collections.abc import Sequence

from bearing_search.analysis.selection import RankedSetting, Selection
from bearing_search.measurement import COST_S
from bearing_search.search_space.objectives import ObjectiveSpec

_NAMED = 12
_COST = (
    f"{COST_S} is what a trial's stages take, whether it computed them or found them: sharing does "
    "not change it; machine and load do."
)


def objective_lines(
    selection: Selection, front: Sequence[RankedSetting], objective_spec: ObjectiveSpec
) -> list[str]:
    """Which settings miss a constraint, and which are on the front; nothing for one objective."""
    lines = []
    if objective_spec.constraints:
        lines.append(_constraint_text(selection, objective_spec))
    if objective_spec.others:
        lines.append(_front_text(front, objective_spec))
    if COST_S in objective_spec.metrics:
        lines.append(_COST)
    return lines


def _constraint_text(selection: Selection, objective_spec: ObjectiveSpec) -> str:
    missing = [entry for entry in selection.entries if not entry.judged.is_feasible]
    asked = " and ".join(map(str, objective_spec.constraints))
    if not missing:
        return f"Every setting keeps {asked}."
    names = _listed([entry.title.removeprefix("trial ") for entry in missing])
    return (
        f"{len(missing)} of {len(selection.entries)} settings miss {asked}, and are not to be "
        f"used: {names}. Measured values count, without intervals."
    )


def _front_text(front: Sequence[RankedSetting], objective_spec: ObjectiveSpec) -> str:
    names = _listed([entry.title.removeprefix("trial ") for entry in front])
    asked = " and ".join(map(str, objective_spec.objectives))
    return (
        f"Pareto set of {asked}: {names or 'empty'}. No other setting was measured as good in "
        "all of them and better in one. The one to use is named by the first alone: "
        "what cannot be told from the best in it, and is cheapest."
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
