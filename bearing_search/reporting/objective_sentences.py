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
    selection: Selection, front: Sequence[RankedSetting], goals: ObjectiveSpec
) -> list[str]:
    """Which settings miss a constraint, and which are on the front; nothing for one objective."""
    lines = []
    if goals.constraints:
        lines.append(_constraint_text(selection, goals))
    if goals.others:
        lines.append(_front_text(front, goals))
    if COST_S in goals.metrics:
        lines.append(_COST)
    return lines


def _constraint_text(selection: Selection, goals: ObjectiveSpec) -> str:
    missing = [entry for entry in selection.entries if not entry.judged.is_feasible]
    asked = " and ".join(map(str, goals.constraints))
    if not missing:
        return f"Every setting keeps {asked}."
    names = _listed([entry.title.removeprefix("trial ") for entry in missing])
    return (
        f"{len(missing)} of {len(selection.entries)} settings miss {asked}, and are not to be "
        f"used: {names}. Measured values count, without intervals."
    )


def _front_text(front: Sequence[RankedSetting], goals: ObjectiveSpec) -> str:
    names = _listed([entry.title.removeprefix("trial ") for entry in front])
    asked = " and ".join(map(str, goals.objectives))
    return (
        f"Pareto set of {asked}: {names or 'empty'}. No other setting was measured as good in "
        "all of them and better in one. The one to use is named by the first alone: "
        "what cannot be told from the best in it, and is cheapest."
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
