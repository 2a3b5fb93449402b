"""Draws figure 8: input, mask, and the maps of both encoders on one colour scale.

Axis letters: n samples, s side of the input, m side of the map, in pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.data.readings import with_readings
from bearing_search.evaluation.predictions import Predictions
from bearing_search.plots import montage
from bearing_search.plots.montage import Picture
from bearing_search.preprocess.pipeline import fit_reference
from bearing_search.preprocess.prepare import prepare
from bearing_search.reproduction.published import ENCODER_STATES
from bearing_search.reproduction.texts import detector_title

ANOMALOUS_SHOWN, NORMAL_SHOWN = 4, 2
SCALE_QUANTILE = 0.999
"""Quantile of all pixels of all maps at which the colour scale ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The samples of one part shown in a figure."""

    names: tuple[str, ...]
    inputs: UInt8[np.ndarray, "n s s 3"]
    masks: Bool[np.ndarray, "n m m"]
    before: Float32[np.ndarray, "n m m"]
    after: Float32[np.ndarray, "n m m"]


def chosen_samples(is_anomalous: Bool[np.ndarray, " n"]) -> list[int]:
    """Positions of some anomalous and some normal samples, evenly spaced through the list.

    They are chosen by position only, never by score.
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
    """The chosen samples with their inputs, which are prepared again or read from the cache.

    Args:
        before, after: predictions with EN_pre and EN_train, on the same samples.
        config: config of either run; both see the same input.
        part: part to show.
        data: the data set.
        cache: folder of prepared images.
    """
    places = chosen_samples(before.is_anomalous)
    data = with_readings(data, config, cache=cache)
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
    # several brightness levels as colour channels are hard to read: only brightness 0 is shown
    is_stack = prepared.samples[0].num_levels > 1
    grey = np.repeat(prepared.images[..., :1], 3, axis=3)
    return Shown(
        names=tuple(before.names[place] for place in places),
        inputs=grey if is_stack else prepared.images,
        masks=before.masks[places],
        before=before.maps[places],
        after=after.maps[places],
    )


def scale_end(maps: Sequence[Float32[np.ndarray, "n m m"]]) -> float:
    """Upper end of a detector's colour scale, which both encoders and all parts share."""
    return float(np.quantile(np.concatenate([one.ravel() for one in maps]), SCALE_QUANTILE))


def draw_comparison(shown: Shown, file: Path, *, detector: str, part: str, end: float) -> None:
    """Write a PNG with one row per sample; the colour scale ranges from 0 to `end`."""
    rows = []
    for row, name in enumerate(shown.names):
        image, mask = shown.inputs[row], shown.masks[row]
        maps = (levels[row] / max(end, 1e-12) for levels in (shown.before, shown.after))
        rows.append((name.split("/", 2)[-1], (image, (_darkened(image, mask), mask), *maps)))
    meaning = (
        f"anomaly map, one scale for both encoders and all parts: 0 to {end:.3g} "
        f"({SCALE_QUANTILE:.1%} quantile of all pixels)"
    )
    columns = ("input", "mask", *ENCODER_STATES)
    picture = montage.table(columns, rows, scale=("0", meaning, f"{end:.3g}"))
    title = f"{detector_title(detector)}, {part}"
    heading = montage.label(title, picture.shape[1], size=15, align=0.5)
    montage.write_png(montage.stacked([heading, picture]), file)


def _darkened(image: Picture, mask: Bool[np.ndarray, "m m"]) -> Picture:
    """The input, darkened except for the ground truth."""
    return np.where(montage.mask_over(image, mask)[..., None], image, image // 3)
