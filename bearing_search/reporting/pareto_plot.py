"""Plots several objectives: all settings, and the Pareto front."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bearing_search.analysis.ranked_setting import RankedSetting
from bearing_search.analysis.selection import Selection
from bearing_search.plots.lettering import drawable, figure_png
from bearing_search.search_space.objectives import Objective, ObjectiveSpec

_OTHER, _FRONT, _CHOSEN, _MISSING = "#8a8a8a", "#1f5f8b", "#c2410c", "#cfcfcf"


def pareto_png(
    selection: Selection, front: Sequence[RankedSetting], objective_spec: ObjectiveSpec, title: str
) -> bytes:
    """A PNG of the first objective against each of the others; crosses violate a constraint.

    With two objectives, a line follows the front; with more, it would connect unrelated points.
    """
    others = objective_spec.others
    figure = Figure(figsize=(5.4 * len(others), 4.2), layout="constrained")
    for axes, other in zip(figure.subplots(1, len(others), squeeze=False)[0], others, strict=True):
        _draw(axes, selection, front, other)
        if len(others) == 1:
            steps = sorted((e.judged.scores[other.metric], e.value.value) for e in front)
            axes.plot(*np.array(steps).reshape(-1, 2).T, color=_FRONT, linewidth=0.8, zorder=0)
        axes.set_xlabel(f"{other}")
        axes.set_ylabel(f"{objective_spec.objectives[0]}")
        axes.tick_params(labelsize=8)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.suptitle(
        drawable(f"{title}: {len(front)} of {len(selection.entries)} settings on the front (blue)")
    )
    return figure_png(figure)


def _draw(
    axes: Axes, selection: Selection, front: Sequence[RankedSetting], other: Objective
) -> None:
    for entry in selection.entries:
        is_front = any(entry is one for one in front)
        colour = _FRONT if is_front else _OTHER
        if entry is selection.chosen:
            colour = _CHOSEN
        marker = "o" if entry.judged.is_feasible else "x"
        if marker == "x":
            colour = _MISSING
        x, y = entry.judged.scores[other.metric], entry.value.value
        axes.plot(x, y, marker, color=colour, markersize=6)
        if is_front or entry is selection.chosen:
            label = entry.title + (" (to use)" if entry is selection.chosen else "")
            axes.annotate(drawable(label), (x, y), (5, 4), textcoords="offset points", fontsize=7)
