"""The leaderboard as a plot: a point with its interval for each setting, tied ones shaded."""

from matplotlib.figure import Figure

from bearing_search.analysis.ranked_setting import RankedSetting
from bearing_search.analysis.selection import Selection
from bearing_search.plots.lettering import drawable, figure_png
from bearing_search.reporting.sentences import saving_text

_SHOWN = 60
"""Maximum number of settings in the plot, best first; more would be illegible."""

_TIED, _WORSE, _CHOSEN = "#1f5f8b", "#8a8a8a", "#c2410c"


def leaderboard_png(selection: Selection, title: str) -> bytes:
    """A PNG of the settings, best on top."""
    entries = selection.entries[:_SHOWN]
    figure = Figure(figsize=(7.2, 1.6 + 0.24 * len(entries)), layout="constrained")
    axes = figure.add_subplot()
    for row, entry in enumerate(entries):
        if entry.is_tied:
            axes.axhspan(row - 0.5, row + 0.5, color="#dbe9f4", linewidth=0)
        is_chosen = entry is selection.chosen
        colour = _CHOSEN if is_chosen else _TIED if entry.is_tied else _WORSE
        value = entry.value
        axes.plot([value.low, value.high], [row, row], color=colour, linewidth=1.4)
        axes.plot(value.value, row, "D" if entry.is_default else "o", color=colour, markersize=5)
    axes.axvline(selection.floor, color="#555555", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(entries)), [_label(entry, selection) for entry in entries])
    axes.set_ylim(len(entries) - 0.5, -0.5)
    drawn = entries[0].defects.text
    scale = f"{selection.objective}, 95 % interval over groups; dotted: constant score"
    axes.set_xlabel(f"{scale}\n{drawable(drawn.strip())}" if drawn else scale)
    more = len(selection.entries) - len(entries)
    rest = f"; {more} lower ones omitted" if more else ""
    count = f"{len(selection.tied)} of {len(selection.entries)} settings tied (shaded)"
    axes.set_title(drawable(f"{title}: {count}{rest}"), fontsize=10)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure_png(figure)


def _label(entry: RankedSetting, selection: Selection) -> str:
    notes = ["default"] * entry.is_default + ["to use"] * (entry is selection.chosen)
    if entry is selection.chosen and selection.saving is not None:
        notes.append(saving_text(selection.saving))
    notes += ["not comparable"] * (not entry.is_comparable)
    notes += [entry.judged.text] * (not entry.judged.is_feasible)
    return drawable(f"{entry.title} ({', '.join(notes)})" if notes else entry.title)
