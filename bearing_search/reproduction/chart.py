"""Plots Table 2: a point with its interval per encoder, the paper's value as a cross."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bearing_search.filesystem.atomic import write_atomically
from bearing_search.plots.lettering import drawable, figure_png
from bearing_search.reproduction.measure import ComparisonRow, TableData
from bearing_search.reproduction.published import ENCODER_STATES, EncoderState, exact_metrics
from bearing_search.reproduction.texts import Facts, detector_title, metric_title, paper_label

_COLOURS: Mapping[EncoderState, str] = {"EN_pre": "#5b6770", "EN_train": "#d1495b"}
_SHIFTS: Mapping[EncoderState, float] = {"EN_pre": -0.16, "EN_train": 0.16}


def draw_chart(measured: TableData, facts: Facts, file: Path) -> None:
    """Write a PNG with a row of panels per detector and a column per metric.

    A metric has the same scale for all detectors, so that rows can be compared.
    """
    height = 2.7 * len(measured.detectors) + 0.9
    metrics = [metric for metric in exact_metrics() if metric in measured.metrics]
    figure = Figure(figsize=(2.3 * len(metrics), height), layout="constrained")
    grid = figure.subplots(
        len(measured.detectors), len(metrics), squeeze=False, sharex=True, sharey="col"
    )
    for row, detector in enumerate(measured.detectors):
        for column, metric in enumerate(metrics):
            axes = grid[row, column]
            lines = [measured.line(detector, part, metric) for part in measured.rows]
            _panel(axes, lines)
            axes.set_xticks(range(len(measured.rows)), [drawable(part) for part in measured.rows])
            if row == 0:
                axes.set_title(metric_title(metric), fontsize=11)
        grid[row, 0].set_ylabel(drawable(detector_title(detector)), fontsize=12)
    figure.suptitle(
        f"{drawable(facts.name)}: {measured.num_runs} runs on test, bars are 95 % intervals; "
        f"cross: {paper_label(measured, facts)}; dash: constant score",
        fontsize=11,
    )
    handles, labels = grid[0, 0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(
        unique.values(), unique.keys(), loc="outside lower center", ncols=4, frameon=False
    )
    write_atomically(file, figure_png(figure))


def _panel(axes: Any, lines: list[ComparisonRow]) -> None:
    for place, line in enumerate(lines):
        axes.plot([place - 0.35, place + 0.35], [line.floor] * 2, color="#b6bfc7", lw=1.2, zorder=1)
        for encoder in ENCODER_STATES:
            interval, at = line.values[encoder], place + _SHIFTS[encoder]
            colour = _COLOURS[encoder]
            axes.plot([at, at], [interval.low, interval.high], color=colour, lw=2, zorder=2)
            axes.plot([at], [interval.value], "o", color=colour, ms=5, label=encoder, zorder=3)
            printed = line.paper[encoder]
            if printed is not None:
                axes.plot([at], [printed], "x", color="#7a4f9e", ms=6, label="paper", zorder=4)
    axes.grid(axis="y", color="#e3e7eb", lw=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    axes.margins(x=0.08)
