"""Figure 8: input, mask, and the maps of both encoders on one colour scale.

Axis letters: n samples, s side of the input, m side of the map, in pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8
from matplotlib.figure import Figure

from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.evaluation.predictions import Predictions
from bearing_search.preprocess.pipeline import fit_reference
from bearing_search.preprocess.prepare import prepare
from bearing_search.reproduction.chart import ascii_text
from bearing_search.reproduction.published import ENCODER_STATES
from bearing_search.reproduction.texts import detector_title

ANOMALOUS_SHOWN, NORMAL_SHOWN = 4, 2
SCALE_QUANTILE = 0.999
"""The colour scale ends where this share of all pixels of all maps lies below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The samples of one part that a figure shows."""

    names: tuple[str, ...]
    inputs: UInt8[np.ndarray, "n s s 3"]
    masks: Bool[np.ndarray, "n m m"]
    before: Float32[np.ndarray, "n m m"]
    after: Float32[np.ndarray, "n m m"]


def chosen_samples(is_anomalous: Bool[np.ndarray, " n"]) -> list[int]:
    """Positions of some anomalous and some normal samples, evenly spaced through the list.

    They are chosen by their place alone, never by their score.
    """
    picked = []
    for wanted, kind in ((ANOMALOUS_SHOWN, is_anomalous), (NORMAL_SHOWN, ~is_anomalous)):
        places = np.flatnonzero(kind)
        if len(places):
            spread = np.linspace(0, len(places) - 1, min(wanted, len(places)))
            picked += [int(places[round(place)]) for place in spread]
    return picked


def shown_samples(
    before: Predictions,
    after: Predictions,
    *,
    config: TrialConfig,
    part: str,
    data: DataSet,
    cache: Path,
) -> Shown:
    """The chosen samples with their inputs, which are prepared (or read from the cache) again.

    Args:
        before, after: what EN_pre and EN_train left, on the same samples.
        config: of either; both see the same input.
    """
    places = chosen_samples(before.is_anomalous)
    by_title = {sample.title: sample for sample in data.samples("test", part)}
    reference = fit_reference(data.samples("train", part), config.preprocess, cache=cache)
    prepared = prepare(
        [by_title[before.names[place]] for place in places],
        reference,
        config.preprocess,
        input_px=config.encoder.input_px,
        map_px=config.protocol.map_px,
        cache=cache,
    )
    # several brightness levels as colours are hard to look at: brightness 0 alone is shown
    is_stack = len(prepared.samples[0].level_files) > 1
    grey = np.repeat(prepared.images[..., :1], 3, axis=3)
    return Shown(
        names=tuple(before.names[place] for place in places),
        inputs=grey if is_stack else prepared.images,
        masks=before.masks[places],
        before=before.maps[places],
        after=after.maps[places],
    )


def scale_end(maps: Sequence[Float32[np.ndarray, "n m m"]]) -> float:
    """Where the one colour scale of a detector ends, over both encoders and all parts."""
    return float(np.quantile(np.concatenate([one.ravel() for one in maps]), SCALE_QUANTILE))


def draw_comparison(shown: Shown, file: Path, *, detector: str, part: str, end: float) -> None:
    """Write a PNG with a row per sample; the colour scale goes from 0 to `end`."""
    count = len(shown.names)
    figure = Figure(figsize=(9.4, 2.15 * count + 0.9), layout="constrained")
    grid = figure.subplots(count, 4, squeeze=False)
    for row, name in enumerate(shown.names):
        for axes in grid[row]:
            axes.set_xticks([])
            axes.set_yticks([])
        grid[row, 0].imshow(shown.inputs[row])
        grid[row, 1].imshow(_with_mask(shown.inputs[row], shown.masks[row]))
        for column, maps in ((2, shown.before), (3, shown.after)):
            heat = grid[row, column].imshow(maps[row], vmin=0, vmax=end, cmap="inferno")
        title = ascii_text(name.split("/", 2)[-1])
        grid[row, 0].set_ylabel(title if len(title) < 24 else f"{title[:21]}...", fontsize=8)
    for column, title in enumerate(("input", "mask", *ENCODER_STATES)):
        grid[0, column].set_title(title, fontsize=10)
    bar = figure.colorbar(heat, ax=grid, location="bottom", shrink=0.5, aspect=40, pad=0.01)
    bar.set_label(
        f"anomaly map, one scale for both encoders and all parts: 0 to {end:.3g} "
        f"({SCALE_QUANTILE:.1%} of all pixels lie below)",
        fontsize=8,
    )
    bar.ax.tick_params(labelsize=8)
    figure.suptitle(f"{ascii_text(detector_title(detector))}, {ascii_text(part)}", fontsize=11)
    figure.savefig(file, dpi=100)


def _with_mask(image: UInt8[np.ndarray, "s s 3"], mask: Bool[np.ndarray, "m m"]) -> Any:
    """The input, darkened, with the ground truth in full brightness and outlined."""
    size = image.shape[1], image.shape[0]
    inside = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    drawn = np.where(inside[..., None] > 0, image, image // 3).astype(np.uint8)
    outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, outlines, -1, (80, 230, 80), 1)
    return drawn
