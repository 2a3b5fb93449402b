"""Distributions of scores, brightness and ring size, now and in training, as a picture."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bearing_search.drift_checks.findings import PartComparison
from bearing_search.drift_checks.pictures import JudgedPicture
from bearing_search.drift_checks.report import DriftReport, PartDrift
from bearing_search.plots.lettering import drawable, figure_png
from bearing_search.runtime.reference import NormalSample

_TRAINING, _NOW, _THRESHOLD = "#8a8f98", "#1f5f8b", "#b91c1c"
_COLUMNS = (
    ("score", "score"),
    ("brightness", "mean grey level of the region of interest"),
    ("size_px", "radius or half major axis, px"),
)
_BINS = 24


def drift_png(report: DriftReport) -> bytes:
    """A PNG: one row of distributions for each part, training in grey, now in blue."""
    rows = len(report.parts)
    figure = Figure(figsize=(12, 2.9 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, len(_COLUMNS), squeeze=False)
    for axes_row, part in zip(grid, report.parts, strict=True):
        for axes, (name, title) in zip(axes_row, _COLUMNS, strict=True):
            _draw(axes, part.comparison, name)
            axes.set_xlabel(title, fontsize=8)
        axes_row[0].set_ylabel(drawable(f"{part.comparison.part}: share"), fontsize=9)
        axes_row[1].set_title(drawable(_states(part)), fontsize=9)
    return figure_png(figure)


def _states(part: PartDrift) -> str:
    return ", ".join(f"{one.cause} {one.state}" for one in part.findings)


def _draw(axes: Axes, part: PartComparison, name: str) -> None:
    before, now = _values(part.before, name), _values(part.now, name)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=8)
    both = np.concatenate([before, now])
    if not len(both):
        axes.text(0.5, 0.5, "nothing to compare", ha="center", transform=axes.transAxes, fontsize=8)
        axes.set_axis_off()
        return
    low, high = float(both.min()), float(both.max())
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1).tolist()
    if len(before):
        label = f"training ({len(before)})"
        axes.hist(before, edges, weights=_even(before), color=_TRAINING, alpha=0.6, label=label)
    if len(now):
        label = f"now ({len(now)})"
        weights = _even(now)
        axes.hist(
            now, edges, weights=weights, color=_NOW, label=label, histtype="step", linewidth=1.6
        )
    if name == "score":
        axes.axvline(part.thresholds.ng, color=_THRESHOLD, linewidth=1.2, label="NG from here")
    axes.legend(fontsize=7, frameon=False)


def _values(samples: Sequence[NormalSample | JudgedPicture], name: str) -> np.ndarray:
    values = (getattr(one, name) for one in samples)
    return np.array([value for value in values if value is not None], dtype=float)


def _even(values: np.ndarray) -> np.ndarray:
    return np.full(len(values), 1 / len(values))
