"""Thresholds chosen on the scores that they are shown with: for pictures, not for promises.

Axis letters: n scores, of samples or of pixels.
"""

import numpy as np
from jaxtyping import Bool, Float

from bearing_search.evaluation.predictions import Predictions


def threshold_of_best_f1(
    scores: Float[np.ndarray, " n"], is_anomalous: Bool[np.ndarray, " n"]
) -> float:
    """The threshold with the best F1, halfway between the two scores that it separates.

    Of several that are equally good the highest; NaN without anomalous scores, the lowest score
    where flagging everything is best.
    """
    anomalous = int(is_anomalous.sum())
    if not anomalous:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    falling, hits = scores[order], is_anomalous[order].cumsum()
    last_of_ties = np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)
    half_f1 = hits[last_of_ties] / (last_of_ties + 1 + anomalous)
    last = int(last_of_ties[half_f1.argmax()])
    if last + 1 == len(falling):
        return float(falling[last])
    return (float(falling[last]) + float(falling[last + 1])) / 2


def best_pixel_threshold(predictions: Predictions) -> float:
    """The threshold with the best F1 over pixels that are labelled; NaN without anomalous ones."""
    maps, masks = predictions.maps, predictions.scored_masks
    return threshold_of_best_f1(
        predictions.labelled(maps).ravel(), predictions.labelled(masks).ravel()
    )
