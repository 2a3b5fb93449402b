"""Scores of held-out groups by kind as a histogram, with thresholds and the band between them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bearing_search.analysis.contracts.judged_part import JudgedPart
from bearing_search.plots.lettering import drawable, figure_png
from bearing_search.reporting.contracts.contract_page import contract_text
from bearing_search.text.shares import bound_text

_NORMAL, _THRESHOLD, _BAND = "#8a8f98", "#b91c1c", "#f59e0b"
_DEFECTS = ("#1f5f8b", "#6a9f58", "#c2410c", "#8a6fae", "#0f766e", "#a16207", "#db2777", "#475569")
_BINS = 40


def histogram_png(judged: JudgedPart) -> bytes:
    """A PNG: normal groups above, defective ones by kind below, on one axis of scores."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    groups, chosen = judged.groups, judged.decision.chosen
    kinds = np.array(judged.kinds)
    ends = [
        *groups.scores[np.isfinite(groups.scores)].tolist(),
        chosen.ng_from,
        chosen.reinspect_from,
    ]
    bins = np.linspace(min(ends), max(ends), _BINS + 1)
    normal = groups.scores[~groups.is_anomalous]
    upper.hist(normal, bins=bins, color=_NORMAL, label=f"normal ({len(normal)})")
    names = sorted(set(kinds[groups.is_anomalous].tolist()))
    if names:
        lower.hist(
            [groups.scores[groups.is_anomalous & (kinds == name)] for name in names],
            bins=bins,
            stacked=True,
            color=[_DEFECTS[number % len(_DEFECTS)] for number in range(len(names))],
            label=[drawable(f"{name} ({int((kinds == name).sum())})") for name in names],
        )
    for axes in (upper, lower):
        _draw_thresholds(axes, judged, is_named=axes is upper)
        axes.set_ylabel("groups", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.yaxis.get_major_locator().set_params(integer=True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    unit = "deviations of unseen normal scores from their mean" if judged.scales else "image score"
    lower.set_xlabel(f"deciding score of a group ({unit})", fontsize=8)
    upper.set_title(
        drawable(f"{judged.part}: {contract_text(judged.decision.contract)}"), fontsize=8, wrap=True
    )
    lower.set_title(
        f"missed {chosen.miss.errors} of {chosen.miss.groups} "
        f"(proven at most {bound_text(chosen.miss.bound)}), "
        f"overkill {chosen.overkill.errors} of {chosen.overkill.groups} "
        f"(proven at most {bound_text(chosen.overkill.bound)})",
        fontsize=8,
    )
    return figure_png(figure)


def _draw_thresholds(axes: Axes, judged: JudgedPart, *, is_named: bool) -> None:
    chosen = judged.decision.chosen
    low, high = chosen.reinspect_from, chosen.ng_from
    if low < high:
        axes.axvspan(low, high, color=_BAND, alpha=0.25, linewidth=0)
        axes.axvline(low, color=_BAND, linewidth=1.2)
    axes.axvline(high, color=_THRESHOLD, linewidth=1.2)
    if is_named:
        texts = [(high, " NG", "left", _THRESHOLD), (low, "OK ", "right", "#166534")]
        for place, text, align, colour in texts:
            axes.text(
                place,
                0.97,
                text,
                color=colour,
                fontsize=8,
                transform=axes.get_xaxis_transform(),
                horizontalalignment=align,
                verticalalignment="top",
            )
