"""Draws figure 8: input, mask, and the maps of both encoders on one colour scale.

Axis letters: n samples, s side of the input, m side of the map, in pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from bearing_search.config import TrialConfig
from bearing_search.data.dataset import DataSet
from bearing_search.data.readings import with_readings
from bearing_search.evaluation.predictions import Predictions
from bearing_search.evaluation.thresholds import best_pixel_threshold, threshold_of_best_f1
from bearing_search.plots import heat_map, montage
from bearing_search.plots.montage import Picture
from bearing_search.plots.picture_table import caption, picture_table
from bearing_search.preprocess.pipeline import fit_reference
from bearing_search.preprocess.prepare import prepare
from bearing_search.reproduction.published import ENCODER_STATES
from bearing_search.reproduction.texts import detector_title

ANOMALOUS_SHOWN, NORMAL_SHOWN = 4, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMaps:
    """One encoder's maps of the shown samples."""

    maps: Float32[np.ndarray, "n m m"]
    image_scores: Float[np.ndarray, " n"]
    pixel_threshold: float
    """Of the best pixel F1 on all samples of the part, as in Table 2."""

    image_threshold: float
    """Of the best image F1, as in Table 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The samples of one part shown in a figure."""

    names: tuple[str, ...]
    inputs: UInt8[np.ndarray, "n s s 3"]
    num_levels: int
    is_mid_level: bool
    masks: Bool[np.ndarray, "n m m"]
    is_anomalous: Bool[np.ndarray, " n"]
    has_masks: bool
    """Whether any anomalous sample of the part has one."""

    encoders: tuple[ShownMaps, ShownMaps]
    """EN_pre and EN_train."""


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
    return Shown(
        names=tuple(before.names[place] for place in places),
        inputs=prepared.images,
        num_levels=prepared.samples[0].num_levels,
        is_mid_level=part in config.preprocess.mid_level_parts,
        masks=before.masks[places],
        is_anomalous=before.is_anomalous[places],
        has_masks=not before.lacks_pixel_labels,
        encoders=(_maps(before, places), _maps(after, places)),
    )


def scale_end(found: Sequence[Predictions]) -> float:
    """Upper end of a detector's colour scale, which both encoders and all parts share."""
    thresholds = [best_pixel_threshold(one) for one in found]
    known = [threshold for threshold in thresholds if not math.isnan(threshold)]
    return heat_map.scale_end(
        np.concatenate([one.maps for one in found]),
        np.concatenate([one.is_anomalous for one in found]),
        threshold=max(known, default=math.nan),
    )


def draw_comparison(shown: Shown, file: Path, *, detector: str, part: str, end: float) -> None:
    """Write a PNG with one row per sample; the colour scale ranges from 0 to `end`."""
    rows = []
    for row in range(len(shown.names)):
        tiles = heat_map.input_tiles(shown.inputs[row], num_levels=shown.num_levels)
        tiles += [
            heat_map.map_tile(
                one.maps[row], shown.masks[row], low=0.0, end=end, threshold=one.pixel_threshold
            )
            for one in shown.encoders
        ]
        rows.append((_caption(shown, row), tiles))
    inputs = heat_map.input_titles(shown.num_levels, is_mid_level=shown.is_mid_level)
    legend = heat_map.LEGEND if shown.has_masks else heat_map.LEGEND_WITHOUT_MASKS
    bar = heat_map.colour_bar(
        np.concatenate([one.maps for one in shown.encoders]),
        low=0.0,
        end=end,
        threshold=float("nan"),
        meaning=f"one scale for both encoders and all parts\n{legend}",
    )
    picture = picture_table([*inputs, *ENCODER_STATES], rows, bar=bar)
    title = f"{detector_title(detector)}, {part}"
    heading = montage.label(title, picture.shape[1], size=15, align=0.5)
    montage.write_png(montage.stacked([heading, picture]), file)


def _maps(predictions: Predictions, places: Sequence[int]) -> ShownMaps:
    maps, scores = predictions.maps, predictions.image_scores
    return ShownMaps(
        maps=maps[places],
        image_scores=scores[places],
        pixel_threshold=best_pixel_threshold(predictions),
        image_threshold=threshold_of_best_f1(scores, predictions.is_anomalous),
    )


def _caption(shown: Shown, row: int) -> Picture:
    """Name, and score and verdict of both encoders."""
    lines = [(shown.names[row].split("/", 2)[-1], montage.TEXT)]
    for state, one in zip(ENCODER_STATES, shown.encoders, strict=True):
        score = float(one.image_scores[row])
        word, colour = heat_map.verdict(
            score, one.image_threshold, is_anomalous=bool(shown.is_anomalous[row])
        )
        lines += [(f"{state}: {score:.3f}", montage.TEXT), (word, colour)]
    return caption((text, colour) for text, colour in lines if text)
