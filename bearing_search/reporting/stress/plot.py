"""A stress set as a plot: scores by angle of a dent, and by change of light and camera."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bearing_search.analysis.operating.operating_points import UNCALIBRATED, OperatingPoint
from bearing_search.analysis.operating.stress import StressedPart
from bearing_search.plots.lettering import drawable, figure_png
from bearing_search.preprocess.stress.names import DENT_ANGLES, UNCHANGED
from bearing_search.reporting.stress.tables import thresholds_of

_LINES = ("#1f5f8b", "#3b8ea5", "#6a9f58", "#8a6fae")
_NORMAL, _THRESHOLDS = "#555555", ("#c2410c", "#0f766e", "#7c3aed")


def stress_png(parts: Sequence[StressedPart], points: Sequence[OperatingPoint]) -> bytes:
    """A PNG with a row per part; dashed lines are its thresholds.

    Args:
        parts: the scores, of at least one part.
        points: thresholds, of any part.
    """
    figure = Figure(figsize=(10.5, 3.4 * len(parts)), layout="constrained")
    for (left, right), one in zip(
        figure.subplots(len(parts), 2, squeeze=False, sharey="row"), parts, strict=True
    ):
        _draw_places(left, one)
        _draw_changes(right, one)
        own = thresholds_of(one.part, points)
        for axes in (left, right):
            for (threshold, rules), colour in zip(own.items(), _THRESHOLDS, strict=False):
                axes.axhline(threshold, color=colour, linewidth=1, linestyle="--")
                if axes is right:
                    _name_line(axes, threshold, drawable(rules.replace(UNCALIBRATED, "")), colour)
            axes.tick_params(labelsize=8)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        left.set_ylabel(drawable(f"{one.part}: image score"))
    return figure_png(figure)


def _name_line(axes: Axes, height: float, text: str, colour: str) -> None:
    label = axes.text(
        0.01,
        height,
        text,
        transform=axes.get_yaxis_transform(),
        color=colour,
        fontsize=6.5,
        verticalalignment="bottom",
    )
    label.set_in_layout(False)


def _draw_places(axes: Axes, part: StressedPart) -> None:
    axes.set_title("the same dent at 8 angles; dotted: the part without it", fontsize=9)
    samples = list(dict.fromkeys(s for name in part.dents for s in part.scores[name]))
    for number, sample in enumerate(samples):
        found = [
            (DENT_ANGLES[name], part.scores[name][sample])
            for name in part.dents
            if sample in part.scores[name]
        ]
        colour = _LINES[number % len(_LINES)]
        angles, scores = zip(*found, strict=True)
        axes.plot(angles, scores, "o-", color=colour, markersize=4, linewidth=1)
        axes.axhline(part.scores[UNCHANGED][sample], color=colour, linewidth=1, linestyle=":")
    axes.set_xticks(list(DENT_ANGLES.values()))
    axes.set_xlabel("degrees, clockwise from the right", fontsize=8)


def _draw_changes(axes: Axes, part: StressedPart) -> None:
    axes.set_title("good parts under other light and camera", fontsize=9)
    for place, name in enumerate(part.changes):
        scores = list(part.scores[name].values())
        axes.plot([place] * len(scores), scores, "o", color=_NORMAL, markersize=4, alpha=0.7)
    axes.set_xticks(range(len(part.changes)), part.changes, rotation=30, ha="right")
