"""Training curves of a fold: all losses and patch classification metrics (paper, Fig. 9)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bearing_search.filesystem.atomic import write_atomically
from bearing_search.plots.lettering import figure_png
from bearing_search.training.microbatch import MICRO_BATCH_ROW

_RECONSTRUCTION = {
    "reconstruction_loss": "L_RC",
    "perceptual_loss": "L_P",
    "pixel_loss": "L_MSE",
}
_PATCH = {"patch_loss": "L_patch", "patch_anchor_loss": "L_P of normal patches"}
_METRICS = {"patch_ap": "patch AP", "patch_auroc": "patch AUROC"}
_LABELS = {**_RECONSTRUCTION, **_PATCH, **_METRICS}
_PHASES = (
    ("reconstruction", "pixel_loss", "#dbe7f3"),
    ("patch classification", "patch_loss", "#fbe6cf"),
)


def curves_picture(rows: Sequence[Mapping[str, float]], file: Path) -> None:
    """Write a PNG of a fold's measurements, in chronological order.

    Fine-tuning is plotted over its epochs, with one panel for each task's losses and one for the
    patch metrics; shading shows the task of each epoch. The last panel is the detector's.
    """
    epochs = [row for row in rows if row.keys() & _LABELS.keys()]
    detector = [row for row in rows if not row.keys() & _LABELS.keys()]
    panels = [
        (title, names)
        for title, names in (
            ("reconstruction loss", _RECONSTRUCTION),
            ("patch loss", _PATCH),
            ("on the epoch's patches", _METRICS),
        )
        if any(row.keys() & names.keys() for row in epochs)
    ]
    count = len(panels) + bool(detector)
    if not count:
        return
    figure = Figure(figsize=(9, 0.6 + 2.4 * count), layout="constrained")
    axes = figure.subplots(count, squeeze=False)[:, 0]
    for axis, (title, names) in zip(axes, panels, strict=False):
        _draw(axis, epochs, [n for n in names if any(n in row for row in epochs)])
        _shade(axis, epochs)
        axis.set(ylabel=title, xlabel="epoch of fine-tuning")
        axis.set_ylim(0, 1.03) if names is _METRICS else axis.set_ylim(bottom=0)
        axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    if detector:
        measured = {name for row in detector for name in row} - {MICRO_BATCH_ROW}
        _draw(axes[-1], detector, sorted(measured))
        axes[-1].set(ylabel="detector", xlabel="measurement of the detector's training")
        axes[-1].set_ylim(bottom=0)
        axes[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    _save(figure, file)


def _draw(axis: Any, rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> None:
    numbers = np.arange(1, len(rows) + 1)
    for name in names:
        values = [row.get(name, np.nan) for row in rows]
        axis.plot(numbers, values, marker=".", markersize=4, label=_LABELS.get(name, name))
    axis.set_xlim(0.5, len(rows) + 0.5)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(alpha=0.3)


def _shade(axis: Any, epochs: Sequence[Mapping[str, float]]) -> None:
    """Shade the epochs of both tasks, each with one legend entry."""
    for phase, name, colour in _PHASES:
        label = phase
        for number, row in enumerate(epochs, start=1):
            if name in row:
                axis.axvspan(number - 0.5, number + 0.5, color=colour, lw=0, label=label, zorder=0)
                label = "_hidden"  # matplotlib omits labels that start with _


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, figure_png(figure))
