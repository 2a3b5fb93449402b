"""A picture of the held-out samples with their anomaly maps.

Axis letters: n samples, s side of the input in pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from bearing_search.evaluation.predictions import Predictions
from bearing_search.plots import montage

_PICTURE_ROWS = 6


def heat_map_picture(
    predictions: Predictions, pixels: UInt8[np.ndarray, "n s s 3"], *, file: Path
) -> None:
    """Write a PNG with a row per sample: input, outlined mask, anomaly map on a common scale.

    The anomalous samples with the highest scores come first, then the two normal samples with the
    highest scores.
    """
    low, high = np.quantile(predictions.maps, 0.5), predictions.maps.max()
    levels = (predictions.maps - low) / max(high - low, 1e-12)
    rows = [
        (
            f"{predictions.names[i].split('/', 2)[2]}  {predictions.image_scores[i]:.3f}",
            (pixels[i], (pixels[i], predictions.masks[i]), levels[i]),
        )
        for i in _shown(predictions)
    ]
    titles = ("input, image score", "ground truth", "anomaly map")
    montage.write_png(montage.table(titles, rows), file)


def _shown(predictions: Predictions) -> Sequence[int]:
    order = np.argsort(-predictions.image_scores, kind="stable")
    anomalous = [int(i) for i in order if predictions.is_anomalous[i]]
    normal = [int(i) for i in order if not predictions.is_anomalous[i]]
    return anomalous[: _PICTURE_ROWS - 2] + normal[:2]
