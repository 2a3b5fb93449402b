"""A picture of the held-out samples with their anomaly maps.

Axis letters: n samples, s side of the input in pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from bearing_search.evaluation.predictions import Predictions
from bearing_search.evaluation.thresholds import best_pixel_threshold, threshold_of_best_f1
from bearing_search.plots import heat_map, montage
from bearing_search.plots.montage import Picture
from bearing_search.plots.picture_table import caption, picture_table

_EACH = 2
"""How many samples of each kind are shown."""


def heat_map_picture(
    predictions: Predictions,
    pixels: UInt8[np.ndarray, "n s s 3"],
    *,
    num_levels: int,
    is_mid_level: bool,
    file: Path,
) -> None:
    """Write a PNG with a row per sample: its input, and its anomaly map on a common scale.

    The anomalous samples with the highest scores come first, then those with the lowest, then the
    normal samples with the highest. Thresholds are those of the best F1 on these very samples.

    Args:
        predictions: of a fold's held-out samples.
        pixels: their inputs.
        num_levels: brightness levels of a sample.
        is_mid_level: whether the second channel is the mean of two levels.
        file: the PNG.
    """
    maps, masks = predictions.maps, predictions.masks
    pixel_threshold = best_pixel_threshold(predictions)
    has_labels = not predictions.lacks_pixel_labels
    image_threshold = threshold_of_best_f1(predictions.image_scores, predictions.is_anomalous)
    low = float(np.median(maps))
    end = heat_map.scale_end(maps, predictions.is_anomalous, threshold=pixel_threshold)
    rows = []
    for i in _shown(predictions):
        tiles = heat_map.input_tiles(pixels[i], num_levels=num_levels)
        tiles.append(
            heat_map.map_tile(maps[i], masks[i], low=low, end=end, threshold=pixel_threshold)
        )
        rows.append((_caption(predictions, i, image_threshold), tiles))
    titles = [*heat_map.input_titles(num_levels, is_mid_level=is_mid_level), "anomaly map"]
    bar = heat_map.colour_bar(
        maps,
        low=low,
        end=end,
        threshold=pixel_threshold,
        meaning=heat_map.LEGEND if has_labels else heat_map.LEGEND_WITHOUT_MASKS,
    )
    montage.write_png(picture_table(titles, rows, bar=bar), file)


def _caption(predictions: Predictions, sample: int, threshold: float) -> Picture:
    score = float(predictions.image_scores[sample])
    is_anomalous = bool(predictions.is_anomalous[sample])
    lines = [
        (predictions.names[sample].split("/", 2)[2], montage.TEXT),
        (f"image score {score:.3f}", montage.TEXT),
    ]
    if predictions.is_unmasked[sample]:
        lines.append((heat_map.NO_MASK, montage.TEXT))
    word, colour = heat_map.verdict(score, threshold, is_anomalous=is_anomalous)
    if word:
        lines += [(word, colour), (f"(threshold {threshold:.3f}, best F1)", montage.TEXT)]
    return caption(lines)


def _shown(predictions: Predictions) -> Sequence[int]:
    order = np.argsort(-predictions.image_scores, kind="stable")
    anomalous = [int(i) for i in order if predictions.is_anomalous[i]]
    normal = [int(i) for i in order if not predictions.is_anomalous[i]]
    lowest = anomalous[_EACH:][-_EACH:]
    return anomalous[:_EACH] + lowest + normal[:_EACH]
