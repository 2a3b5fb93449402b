"""A picture of the stress set: every variant of its first sample."""

from pathlib import Path

import numpy as np

from bearing_search.evaluation.predictions import Predictions
from bearing_search.plots import montage
from bearing_search.training.images import Images

_TILE_PX, _COLUMNS = 224, 6


def stress_picture(predictions: Predictions, images: Images, file: Path) -> None:
    """Write a PNG of the first channel of every variant, with its image score and its dent.

    Args:
        predictions: of all variants.
        images: their inputs.
        file: the PNG.
    """
    tiles = []
    first = predictions.names[0].rpartition("/")[2]
    for number, title in enumerate(predictions.names):
        if title.rpartition("/")[2] != first:
            continue
        text = f"{predictions.defects[number]}: {predictions.image_scores[number]:.3f}"
        grey = montage.fitted(images.pixels[number][..., 0], _TILE_PX, _TILE_PX)
        shown = montage.outlined(grey, np.asarray(images.masks[number]))
        tiles.append(montage.stacked([montage.label(text, _TILE_PX), shown]))
    montage.write_png(montage.grid(tiles, _COLUMNS), file)
